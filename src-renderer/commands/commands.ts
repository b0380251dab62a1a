// The one registry of what a person can do: palette, menus, shortcuts and buttons draw from it.
import { computed } from 'vue';
import type { ComputedRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';
import type { MachineSummary } from '../../core/api/machines.ts';
import { useClient } from '../client/client.ts';
import { chord } from '../console/scanCodes.ts';
import { MACHINE_TABS } from '../machineTabs.ts';
import { useIntake } from '../stores/intake.ts';
import { isOn, useMachines } from '../stores/machines.ts';
import { usePreferences } from '../stores/preferences.ts';
import { useToasts } from '../stores/toasts.ts';
import { useWindowState } from '../stores/windowState.ts';
import { useDebugCommands } from './debugCommands.ts';
import { saveScreenshot } from './screenshot.ts';

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly group: 'Machine' | 'Debug' | 'View' | 'Program' | 'Go to';
  /** For example `Ctrl Shift P`; Cmd stands for Ctrl on macOS. */
  readonly keys?: string;
  /** Why it cannot run now; absent: it can. */
  readonly unavailable?: string;
  run(): unknown;
}

export const isMac = /mac/i.test(navigator.platform);

/** `Ctrl Shift P` as this system writes it. */
export function keysText(keys: string): string {
  return isMac ? keys.replace('Ctrl', '⌘').replace('Shift', '⇧').replace('Alt', '⌥') : keys;
}

export function matchesKeys(keys: string, event: KeyboardEvent): boolean {
  const parts = keys.split(' ');
  const key = parts.at(-1)!;
  const control = isMac ? event.metaKey : event.ctrlKey;
  return (
    control === parts.includes('Ctrl') &&
    event.shiftKey === parts.includes('Shift') &&
    event.altKey === parts.includes('Alt') &&
    (event.key.toLowerCase() === key.toLowerCase() || event.code === `Key${key}` || event.code === `Digit${key}`)
  );
}

export function useCommands(): ComputedRef<Command[]> {
  const client = useClient();
  const machines = useMachines();
  const preferences = usePreferences();
  const windowState = useWindowState();
  const intake = useIntake();
  const toasts = useToasts();
  const router = useRouter();
  const route = useRoute();
  const debugCommands = useDebugCommands();

  async function openFile(): Promise<void> {
    if (client.files.kind === 'in-place') await intake.open(await client.files.choose());
    else windowState.choose(null);
  }

  // Browsers keep Ctrl N and Ctrl 1..9 for themselves.
  const modifier = client.isDesktop ? 'Ctrl' : 'Alt';

  function programCommands(): Command[] {
    return [
      {
        id: 'new',
        title: 'New machine',
        group: 'Program',
        keys: `${modifier} N`,
        run: () => router.push({ name: 'new' }),
      },
      { id: 'open', title: 'Open a file…', group: 'Program', keys: 'Ctrl O', run: openFile },
      {
        id: 'palette',
        title: 'Search machines and commands',
        group: 'Program',
        keys: 'Ctrl K',
        run: () => (windowState.paletteOpen = true),
      },
      { id: 'home', title: 'Start page', group: 'Go to', run: () => router.push({ name: 'home' }) },
      {
        id: 'sidebar',
        title: 'Show or hide the machine list',
        group: 'View',
        keys: 'Ctrl B',
        run: () => windowState.toggleSidebar(),
      },
      ...(['system', 'light', 'dark'] as const).map((theme) => ({
        id: `theme-${theme}`,
        title: `Theme: ${{ system: 'as the system', light: 'light', dark: 'dark' }[theme]}`,
        group: 'View' as const,
        run: () => toasts.guard(() => preferences.setTheme(theme)),
      })),
    ];
  }

  function machineCommands(machine: MachineSummary): Command[] {
    const { id, state } = machine;
    const on = isOn(machine);
    const guarded = (action: (id: string) => Promise<void>) => () => toasts.guard(() => action(id));
    const send = (codes: number[]) => () => toasts.guard(() => client.call('console.keys', { id, scanCodes: codes }));
    const only = (possible: boolean, reason: string) => (possible ? {} : { unavailable: reason });
    const start = async (): Promise<void> => {
      await machines.start(id);
      await router.push({ name: 'console', params: { id } });
    };
    const startPaused = async (): Promise<void> => {
      await machines.startPaused(id);
      await router.push({ name: 'debug', params: { id } });
    };
    return [
      { id: 'start', title: 'Start', group: 'Machine', ...only(!on, 'It is on'), run: () => toasts.guard(start) },
      {
        id: 'start-paused',
        title: 'Start paused, to debug',
        group: 'Machine',
        ...only(!on, 'It is on'),
        run: () => toasts.guard(startPaused),
      },
      {
        id: 'pause',
        title: state === 'paused' ? 'Continue' : 'Pause',
        group: 'Machine',
        keys: 'Ctrl Shift P',
        ...only(state === 'running' || state === 'paused', 'It is not running'),
        run: guarded(state === 'paused' ? machines.resume : machines.pause),
      },
      {
        id: 'reset',
        title: 'Reset',
        group: 'Machine',
        ...only(on && state !== 'starting', 'It is off'),
        run: guarded(machines.reset),
      },
      {
        id: 'shut-down',
        title: 'Shut down',
        group: 'Machine',
        keys: 'Ctrl Shift Q',
        ...only(state === 'running', 'It is not running'),
        run: guarded(machines.shutDown),
      },
      {
        id: 'power-off',
        title: 'Power off…',
        group: 'Machine',
        ...only(on, 'It is off'),
        run: () => (windowState.poweringOff = id),
      },
      {
        id: 'ctrl-alt-del',
        title: 'Send Ctrl Alt Del',
        group: 'Machine',
        ...only(state === 'running', 'It is not running'),
        run: send(chord('ControlLeft', 'AltLeft', 'Delete')),
      },
      {
        id: 'screenshot',
        title: 'Save a screenshot',
        group: 'Machine',
        ...only(on, 'It is off'),
        run: () => toasts.guard(() => saveScreenshot(client, machine)),
      },
      {
        id: 'delete',
        title: 'Delete…',
        group: 'Machine',
        ...only(!on, 'Power it off first'),
        run: () => (windowState.deleting = id),
      },
      ...MACHINE_TABS.map(({ name, label }, index) => ({
        id: `tab-${name}`,
        title: label,
        group: 'View' as const,
        keys: `${modifier} ${index + 1}`,
        run: () => router.push({ name, params: { id } }),
      })),
      ...debugCommands(machine, {
        inFront: route.name === 'debug' || route.name === 'traps',
        show: () => router.push({ name: 'debug', params: { id } }),
      }),
    ];
  }

  return computed(() => {
    const id = route.params['id'];
    const machine = typeof id === 'string' ? machines.get(id) : undefined;
    return [
      ...(machine === undefined ? [] : machineCommands(machine)),
      ...programCommands(),
      ...machines.list.map((other) => ({
        id: `machine-${other.id}`,
        title: other.name,
        group: 'Go to' as const,
        run: () => router.push({ name: isOn(other) ? 'console' : 'overview', params: { id: other.id } }),
      })),
    ];
  });
}
