// The workspace's panes in dockview: groups with tabs, dragged, split, kept per machine. Knows no Vue components:
// each panel gives an element to fill and tells whether it is in front.
import { createDockview } from 'dockview-core';
import type {
  DockviewApi,
  IContentRenderer,
  IHeaderActionsRenderer,
  ITabRenderer,
  SerializedDockview,
} from 'dockview-core';
import { ref, shallowReactive, shallowRef } from 'vue';
import { PANES, companions, defaultPlan, layoutKey, paneTitle } from '../../debugger/panes.ts';
import type { PaneId } from '../../debugger/panes.ts';
import type { PanePlace } from './pane.ts';

export interface OpenPane {
  readonly id: PaneId;
  /** Another one each time it is opened. */
  readonly key: number;
  readonly element: HTMLElement;
  readonly place: PanePlace;
}

export class Dock {
  readonly open = shallowReactive<OpenPane[]>([]);
  readonly #api: DockviewApi;
  readonly #machineId: string;
  readonly #heads = new Map<string, HTMLElement>();
  readonly #placed = new Map<string, PanePlace>();
  readonly #host: HTMLElement;
  #key = '';
  #opened = 0;
  #loading = false;
  #saving: ReturnType<typeof setTimeout> | undefined;

  constructor(host: HTMLElement, machineId: string) {
    this.#host = host;
    this.#machineId = machineId;
    this.#api = createDockview(host, {
      className: 'dockview-theme-trapeze',
      theme: {
        name: 'trapeze',
        className: 'dockview-theme-trapeze',
        dndPanelOverlay: 'group',
        tabGroupIndicator: 'none',
      },
      disableFloatingGroups: true,
      createComponent: ({ id }) => this.#content(id as PaneId),
      createTabComponent: ({ id }) => tab(id as PaneId, () => this.toggle(id as PaneId)),
      defaultTabComponent: 'tab',
      createRightHeaderActionComponent: (group) => this.#head(group.id),
    });
    this.#api.onDidLayoutChange(() => {
      this.#locate();
      this.#saveSoon();
    });
    this.#api.onDidActivePanelChange(() => this.#locate());
  }

  /** Shows the layout that was kept for this width, else the default one. */
  show(): void {
    const key = layoutKey(this.#machineId, this.#host.clientWidth);
    if (key === this.#key) return;
    this.#key = key;
    const kept = localStorage.getItem(key);
    this.#loading = true;
    try {
      if (kept === null) this.#fill();
      else this.#api.fromJSON(JSON.parse(kept) as SerializedDockview);
    } catch {
      // A layout of another version, or damaged.
      this.#fill();
    }
    this.#loading = false;
    this.#locate();
  }

  reset(): void {
    localStorage.removeItem(this.#key);
    this.#loading = true;
    this.#fill();
    this.#loading = false;
    this.#locate();
    localStorage.removeItem(this.#key);
  }

  has(id: PaneId): boolean {
    return this.#api.getPanel(id) !== undefined;
  }

  /** Opens it if need be and brings it to the front. */
  reveal(id: PaneId): void {
    const panel = this.#api.getPanel(id) ?? this.#add(id);
    panel.api.setActive();
    this.#locate();
  }

  toggle(id: PaneId): void {
    const panel = this.#api.getPanel(id);
    if (panel === undefined) this.reveal(id);
    else this.#api.removePanel(panel);
  }

  /** Focus to the next group's tab, for the keyboard. */
  focusNext(step: 1 | -1): void {
    const { groups } = this.#api;
    const current = groups.findIndex((group) => group.element.contains(document.activeElement));
    const next = groups[(current + step + groups.length) % groups.length];
    next?.element.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]')?.focus();
  }

  dispose(): void {
    clearTimeout(this.#saving);
    this.#save();
    this.#loading = true;
    this.#api.dispose();
  }

  #fill(): void {
    this.#api.layout(this.#host.clientWidth, this.#host.clientHeight, true);
    this.#api.clear();
    const { clientWidth: width, clientHeight: height } = this.#host;
    for (const { panes, beside, share } of defaultPlan(width)) {
      const [first, ...others] = panes;
      const reference = beside === undefined ? undefined : this.#api.getPanel(beside.pane);
      const position =
        reference === undefined ? {} : { position: { referencePanel: reference, direction: beside!.direction } };
      const size =
        share === undefined || reference === undefined
          ? {}
          : beside!.direction === 'right'
            ? { initialWidth: Math.round(width * share) }
            : { initialHeight: Math.round(height * share) };
      this.#panel(first!, { ...position, ...size });
      for (const id of others)
        this.#panel(id, { position: { referencePanel: first!, direction: 'within' }, inactive: true });
    }
    this.#api.getPanel('disassembly')?.api.setActive();
  }

  #add(id: PaneId) {
    const beside = companions(id, this.#host.clientWidth).find((other) => this.#api.getPanel(other) !== undefined);
    const reference = beside ?? this.#api.panels[0]?.id;
    return this.#panel(
      id,
      reference === undefined ? {} : { position: { referencePanel: reference, direction: 'within' } },
    );
  }

  #panel(id: PaneId, options: object) {
    return this.#api.addPanel({
      id,
      component: id,
      title: paneTitle(id),
      minimumWidth: 120,
      minimumHeight: 56,
      ...options,
    });
  }

  #content(id: PaneId): IContentRenderer {
    const element = document.createElement('div');
    element.style.height = '100%';
    const place = { visible: ref(false), head: shallowRef<HTMLElement | null>(null), headWidth: ref(0) };
    return {
      element,
      init: () => {
        this.#placed.set(id, place);
        if (PANES.some((pane) => pane.id === id)) this.open.push({ id, key: ++this.#opened, element, place });
      },
      dispose: () => {
        if (this.#placed.get(id) === place) this.#placed.delete(id);
        const index = this.open.findIndex((pane) => pane.element === element);
        if (index >= 0) this.open.splice(index, 1);
      },
    };
  }

  #head(group: string): IHeaderActionsRenderer {
    const element = document.createElement('div');
    element.className = 'head-host';
    const observer = new ResizeObserver(() => this.#locate());
    observer.observe(element);
    return {
      element,
      init: () => {
        this.#heads.set(group, element);
        this.#locate();
      },
      dispose: () => {
        observer.disconnect();
        if (this.#heads.get(group) === element) this.#heads.delete(group);
      },
    };
  }

  /** Tells each pane whether it is in front and which head is its own. */
  #locate(): void {
    if (this.#loading) return;
    for (const panel of this.#api.panels) {
      const place = this.#placed.get(panel.id);
      if (place === undefined) continue;
      const head = this.#heads.get(panel.group.id);
      place.visible.value = panel.group.activePanel === panel;
      place.head.value = head ?? null;
      place.headWidth.value = head?.clientWidth ?? 0;
    }
  }

  #saveSoon(): void {
    clearTimeout(this.#saving);
    if (!this.#loading) this.#saving = setTimeout(() => this.#save(), 300);
  }

  #save(): void {
    if (!this.#loading && this.#key !== '') localStorage.setItem(this.#key, JSON.stringify(this.#api.toJSON()));
  }
}

function tab(id: PaneId, close: () => void): ITabRenderer {
  const element = document.createElement('div');
  element.className = 'pane-tab';
  element.textContent = paneTitle(id);
  element.title = 'Drag to move; middle click or Delete closes';
  const middle = (event: MouseEvent): void => {
    if (event.button === 1) close();
  };
  return {
    element,
    init: () => {
      element.addEventListener('auxclick', middle);
      queueMicrotask(() =>
        element.closest('[role="tab"]')?.addEventListener('keydown', (event) => {
          if ((event as KeyboardEvent).key === 'Delete') close();
        }),
      );
    },
    dispose: () => element.removeEventListener('auxclick', middle),
  };
}
