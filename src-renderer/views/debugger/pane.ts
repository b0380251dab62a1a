// What a pane knows of its place, and how it keeps its data fresh.
import { inject, ref, shallowRef, watch } from 'vue';
import type { InjectionKey, Ref } from 'vue';
import { toFailureRecord } from '../../../core/api/failure.ts';
import { coalesced } from '../../debugger/coalesce.ts';
import { useDebugger } from '../../stores/debugger.ts';

export interface PanePlace {
  /** Its tab is in front. */
  readonly visible: Ref<boolean>;
  /** Where its controls go if its group's head has room. */
  readonly head: Ref<HTMLElement | null>;
  readonly headWidth: Ref<number>;
}
export const PANE_PLACE: InjectionKey<PanePlace> = Symbol('pane place');

export const usePanePlace = (): PanePlace =>
  inject(PANE_PLACE, () => ({ visible: ref(true), head: ref(null), headWidth: ref(0) }), true);

/**
 * Reads when the guest stops, when `also` changes and when the pane comes to the front; not while the guest runs,
 * but for the first time. Reads that are asked for while one is on its way become one.
 */
export function usePaneData<T>(load: (id: string) => Promise<T>, also: () => unknown = () => null) {
  const store = useDebugger();
  const { visible } = usePanePlace();
  const data = shallowRef<T | null>(null) as Ref<T | null>;
  const problem = ref<string | null>(null);
  const refresh = coalesced(async () => {
    const id = store.machineId;
    if (id === null) return;
    try {
      data.value = await load(id);
      problem.value = null;
    } catch (error) {
      problem.value = toFailureRecord(error).message;
    }
  });

  let asked: unknown = null;
  watch(
    [visible, () => store.revision, () => store.running, () => store.status === null, also],
    ([shown, , running, unknown, wish]) => {
      if (!shown || unknown) return;
      const wished = wish !== asked;
      if (running && data.value !== null && !wished) return;
      asked = wish;
      void refresh();
    },
    { immediate: true },
  );
  return { data, problem, refresh };
}
