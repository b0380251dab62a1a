// The trap inspector of the machine in front: figures once a second, rates, the newest exits, the policy.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef, watch } from 'vue';
import type { Response } from '../../core/api/contract.ts';
import type { ExitPolicySettings, Trap, TrapFilter, TrapSummary } from '../../core/api/debug.ts';
import { toFailureRecord } from '../../core/api/failure.ts';
import type { FailureRecord } from '../../core/api/failure.ts';
import { useClient } from '../client/client.ts';
import { EXIT_GROUPS, RateHistory } from '../debugger/exitGroups.ts';
import type { ExitClass } from '../debugger/exitGroups.ts';
import { saveFile } from '../components/saveFile.ts';
import { isOn, useMachines } from './machines.ts';
import { useToasts } from './toasts.ts';

const POLL_MS = 1000;
/** The ring closes itself after 10 s without this. */
const RECORD_MS = 5000;
const PAGE = 200;
const MOST_LISTED = 20_000;

export const useTraps = defineStore('traps', () => {
  const client = useClient();
  const machines = useMachines();
  const toasts = useToasts();

  const machineId = ref<string | null>(null);
  const summary = shallowRef<TrapSummary | null>(null);
  const failure = shallowRef<FailureRecord | null>(null);
  const policy = shallowRef<ExitPolicySettings | null>(null);
  const audit = shallowRef<Response<'traps.audit'>['rows']>([]);
  const vectors = shallowRef<Response<'traps.vectors'>['vectors']>([]);
  const hot = shallowRef<Response<'traps.hot'> | null>(null);
  const hotBy = ref<'page' | 'symbol'>('symbol');
  const history = new RateHistory();
  /** Grows with every sample. */
  const samples = ref(0);
  const hidden = ref<ReadonlySet<string>>(new Set());

  const list = shallowRef<readonly Trap[]>([]);
  const matched = ref(0);
  const recorded = ref(0);
  const capacity = ref(0);
  const held = ref(false);
  const filterText = ref('');
  const filterGroups = ref<ReadonlySet<string>>(new Set());
  const chosen = ref<number | null>(null);
  const rates = computed(() => {
    void samples.value;
    return history.samples(10).at(-1)?.rates ?? EXIT_GROUPS.map(() => 0);
  });
  const exitsPerSecond = computed(() => rates.value.reduce((sum, rate) => sum + rate, 0));
  const selected = computed(() => list.value.find(({ sequence }) => sequence === chosen.value) ?? null);

  const filter = computed<TrapFilter>(() => ({
    text: filterText.value.trim().slice(0, 300),
    classes:
      filterGroups.value.size === 0
        ? null
        : EXIT_GROUPS.flatMap(({ id, classes }): ExitClass[] => (filterGroups.value.has(id) ? [...classes] : [])),
  }));

  let users = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  let recordedAt = -Infinity;
  let polling = false;

  function forget(): void {
    summary.value = null;
    policy.value = null;
    audit.value = [];
    vectors.value = [];
    hot.value = null;
    list.value = [];
    matched.value = 0;
    chosen.value = null;
    held.value = false;
    failure.value = null;
    history.clear();
    samples.value = 0;
    recordedAt = -Infinity;
  }

  function enter(id: string): void {
    users++;
    if (machineId.value !== id) {
      forget();
      machineId.value = id;
    }
    recordedAt = -Infinity;
    void poll();
    clearInterval(timer);
    timer = setInterval(() => void poll(), POLL_MS);
  }

  function leave(): void {
    users--;
    if (users > 0) return;
    clearInterval(timer);
    const id = machineId.value;
    const machine = id === null ? undefined : machines.get(id);
    if (id !== null && machine !== undefined && isOn(machine)) {
      void client.call('traps.record', { id, on: false }).catch(() => undefined);
    }
  }

  async function poll(): Promise<void> {
    const id = machineId.value;
    const machine = id === null ? undefined : machines.get(id);
    if (id === null || polling) return;
    if (machine === undefined || !isOn(machine) || machine.state === 'starting') {
      if (summary.value !== null) forget();
      return;
    }
    polling = true;
    try {
      const now = performance.now();
      if (now - recordedAt >= RECORD_MS) {
        recordedAt = now;
        await client.call('traps.record', { id, on: true });
      }
      const next = await client.call('traps.summary', { id });
      policy.value ??= await client.call('traps.policy', { id });
      audit.value = (await client.call('traps.audit', { id })).rows;
      vectors.value = (await client.call('traps.vectors', { id })).vectors;
      hot.value = await client.call('traps.hot', { id, by: hotBy.value, limit: 100 });
      if (machineId.value !== id) return;
      summary.value = next;
      history.add(performance.now(), next);
      samples.value++;
      failure.value = null;
      if (!held.value) await loadNewest();
    } catch (error) {
      failure.value = toFailureRecord(error);
    } finally {
      polling = false;
    }
  }

  function take(answer: Response<'traps.list'>): void {
    matched.value = answer.matched;
    recorded.value = answer.recorded;
    capacity.value = answer.capacity;
  }

  let asked = 0;
  async function loadNewest(): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    const number = ++asked;
    const answer = await client.call('traps.list', { id, filter: filter.value, limit: PAGE });
    if (number !== asked || machineId.value !== id) return;
    take(answer);
    list.value = answer.traps;
  }

  /** Scrolled to the end: holds, so that rows stay where they are, and loads what is older. */
  let loadingOlder = false;
  async function loadOlder(): Promise<void> {
    const id = machineId.value;
    const last = list.value.at(-1);
    if (id === null || last === undefined || loadingOlder || list.value.length >= MOST_LISTED) return;
    if (list.value.length >= matched.value) return;
    loadingOlder = true;
    try {
      const answer = await client.call('traps.list', { id, filter: filter.value, before: last.sequence, limit: PAGE });
      if (held.value && list.value.at(-1) === last) list.value = [...list.value, ...answer.traps];
    } catch {
      // The machine has gone; the next poll tells it.
    }
    loadingOlder = false;
  }

  function hold(on: boolean): void {
    held.value = on;
    if (!on) void toasts.guard(loadNewest);
  }

  watch(filter, () => machineId.value !== null && summary.value !== null && void toasts.guard(loadNewest));
  watch(hotBy, () => void poll());

  async function setPolicy(next: ExitPolicySettings): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    await toasts.guard(async () => (policy.value = await client.call('traps.setPolicy', { id, policy: next })));
  }

  async function exportAs(format: 'csv' | 'json' | 'perfetto'): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    await toasts.guard(async () => {
      const { name, content } = await client.call('traps.export', { id, format, filter: filter.value });
      saveFile(name, content, format === 'csv' ? 'text/csv' : 'application/json');
    });
  }

  function toggle(set: typeof hidden, id: string): void {
    const next = new Set(set.value);
    if (!next.delete(id)) next.add(id);
    set.value = next;
  }

  return {
    machineId,
    summary,
    failure,
    policy,
    audit,
    vectors,
    hot,
    hotBy,
    samples,
    hidden,
    list,
    matched,
    recorded,
    capacity,
    held,
    filterText,
    filterGroups,
    chosen,
    selected,
    rates,
    exitsPerSecond,
    enter,
    leave,
    poll,
    hold,
    loadOlder,
    setPolicy,
    exportAs,
    /** Rates of the last seconds, or of all time since the view first looked. */
    history: (seconds: number | null) => history.samples(seconds),
    toggleHidden: (id: string) => toggle(hidden, id),
    toggleFilter: (id: string) => toggle(filterGroups, id),
  };
});
