// All machines with their state and recent figures, kept up to date by events.
import { defineStore } from 'pinia';
import { computed, ref, shallowReactive, triggerRef } from 'vue';
import type { LogEntry, MachineSummary, Statistics } from '../../core/api/machines.ts';
import { useClient } from '../client/client.ts';

export const HISTORY_SECONDS = 60;
const LOG_KEPT = 2000;

export function isOn(machine: MachineSummary): boolean {
  return machine.state !== 'stopped' && machine.state !== 'crashed';
}

export const useMachines = defineStore('machines', () => {
  const client = useClient();
  const byId = ref(new Map<string, MachineSummary>());
  const problems = ref<{ file: string; message: string }[]>([]);
  const loaded = ref(false);
  const connected = ref(true);
  /** The last minute of each machine that is or was on, oldest first. */
  const statistics = shallowReactive(new Map<string, readonly Statistics[]>());
  const logs = shallowReactive(new Map<string, readonly LogEntry[]>());

  const list = computed(() =>
    [...byId.value.values()].sort(
      (a, b) => Number(a.bundled === null) - Number(b.bundled === null) || a.name.localeCompare(b.name),
    ),
  );
  const running = computed(() => list.value.filter(isOn));

  async function load(): Promise<void> {
    const answer = await client.call('machines.list', {});
    byId.value = new Map(answer.machines.map((machine) => [machine.id, machine]));
    problems.value = answer.problems;
    loaded.value = true;
  }

  function put(machine: MachineSummary): void {
    const before = byId.value.get(machine.id);
    if (machine.state === 'starting') statistics.delete(machine.id);
    byId.value.set(machine.id, machine);
    if (before !== undefined || machine !== before) triggerRef(byId);
  }

  async function loadLog(id: string): Promise<void> {
    logs.set(id, (await client.call('machines.log', { id })).entries);
  }

  client.on('machines.changed', put);
  client.on('machines.removed', ({ id }) => {
    byId.value.delete(id);
    triggerRef(byId);
    statistics.delete(id);
    logs.delete(id);
  });
  client.on('machines.statistics', ({ id, statistics: sample }) => {
    statistics.set(id, [...(statistics.get(id) ?? []), sample].slice(-HISTORY_SECONDS));
  });
  client.on('machines.logged', ({ id, entry }) => {
    const known = logs.get(id);
    if (known !== undefined && (known.at(-1)?.sequence ?? 0) < entry.sequence)
      logs.set(id, [...known, entry].slice(-LOG_KEPT));
  });
  client.onConnected((now) => {
    connected.value = now;
    if (now) void load().catch(() => undefined);
  });

  function get(id: string): MachineSummary | undefined {
    return byId.value.get(id);
  }

  /** The newest figures of a machine that is on. */
  function latest(id: string): Statistics | undefined {
    return statistics.get(id)?.at(-1);
  }

  const act = (method: 'start' | 'pause' | 'resume' | 'reset' | 'shutDown' | 'powerOff') => async (id: string) =>
    put(await client.call(`machines.${method}`, { id }));

  return {
    list,
    running,
    problems,
    loaded,
    connected,
    statistics,
    logs,
    get,
    latest,
    put,
    loadLog,
    start: act('start'),
    startPaused: async (id: string) => put(await client.call('machines.start', { id, paused: true })),
    pause: act('pause'),
    resume: act('resume'),
    reset: act('reset'),
    shutDown: act('shutDown'),
    powerOff: act('powerOff'),
  };
});
