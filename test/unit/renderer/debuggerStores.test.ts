// The stores over a client of the test's own.
import { createPinia, setActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DebugStatus } from '../../../core/api/debug.ts';
import type { MachineSummary } from '../../../core/api/machines.ts';
import { setClient } from '../../../src-renderer/client/client.ts';
import type { Connection } from '../../../src-renderer/client/client.ts';
import { useDebugger } from '../../../src-renderer/stores/debugger.ts';
import { useMachines } from '../../../src-renderer/stores/machines.ts';
import { useTraps } from '../../../src-renderer/stores/traps.ts';

type Request = { id: string } & Record<string, unknown>;
let calls: { method: string; request: Request }[];
let answers: Record<string, (request: Request) => unknown>;
let listeners: Map<string, ((event: never) => void)[]>;

const status = (revision: number, state: DebugStatus['state'] = 'paused', instructions = revision): DebugStatus => ({
  state,
  stop: null,
  revision,
  instructions,
  guestNs: 0,
  place: { address: '1000', symbol: null, source: null },
  mode: { name: '', bits: 32, privilege: 0, paging: true },
  symbols: [],
  gdb: null,
});
const registers = (eax: string) => ({
  groups: [
    {
      id: 'general',
      title: '',
      registers: [{ name: 'EAX', value: eax, width: 32, editable: true, note: '', fields: [] }],
    },
  ],
  segments: [],
});
const emit = (event: string, value: unknown): void =>
  listeners.get(event)?.forEach((listener) => listener(value as never));
const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined);
const count = (method: string): number => calls.filter((call) => call.method === method).length;

beforeEach(() => {
  vi.useFakeTimers();
  setActivePinia(createPinia());
  calls = [];
  listeners = new Map();
  answers = {
    'debug.status': () => status(1),
    'debug.breakpoints': () => ({ breakpoints: [] }),
    'debug.registers': () => registers('1'),
  };
  setClient({
    call: async (method: string, request: Request) => {
      calls.push({ method, request });
      const answer = answers[method];
      if (answer === undefined) throw new Error(`unexpected ${method}`);
      return answer(request);
    },
    on: (event: string, listener: (event: never) => void) => {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
      return { dispose: () => undefined };
    },
    onConnected: () => ({ dispose: () => undefined }),
    isDesktop: false,
    files: { kind: 'upload', upload: () => Promise.reject(new Error('none')) },
  } as unknown as Connection);
  useMachines().put({ id: 'm', name: 'm', state: 'paused', bundled: null } as unknown as MachineSummary);
});
afterEach(() => vi.useRealTimers());

describe('the debugger', () => {
  it('reads when it is entered and at each new revision, and takes no older status', async () => {
    const store = useDebugger();
    store.enter('m');
    await settle();
    expect(store.status?.revision).toBe(1);
    expect(store.registers).toEqual(registers('1'));
    answers['debug.registers'] = () => registers('2');
    emit('debug.changed', { id: 'm', status: status(2) });
    await settle();
    expect([...store.changed]).toEqual(['EAX']);
    const reads = count('debug.registers');
    emit('debug.changed', { id: 'm', status: status(1) });
    emit('debug.changed', { id: 'other', status: status(9) });
    await settle();
    expect(store.status?.revision).toBe(2);
    expect(count('debug.registers')).toBe(reads);
    store.leave();
  });

  it('makes one read of many stops that come while one is on its way', async () => {
    const store = useDebugger();
    store.enter('m');
    await settle();
    let finish: ((value: unknown) => void) | undefined;
    answers['debug.registers'] = () => new Promise((resolve) => (finish = resolve));
    const before = count('debug.registers');
    for (let revision = 2; revision < 40; revision++) emit('debug.changed', { id: 'm', status: status(revision) });
    await settle();
    expect(count('debug.registers')).toBe(before + 1);
    answers['debug.registers'] = () => registers('7');
    finish!(registers('6'));
    // The second read follows after a rest.
    await vi.waitFor(() => expect(count('debug.registers')).toBe(before + 2));
    await settle();
    expect(store.registers).toEqual(registers('7'));
    store.leave();
  });

  it('F9 sets what is missing and removes what is there, by number', async () => {
    const store = useDebugger();
    answers['debug.setBreakpoint'] = () => ({});
    answers['debug.removeBreakpoint'] = () => null;
    store.enter('m');
    await settle();
    await store.toggleBreakpoint('1000');
    expect(calls.find(({ method }) => method === 'debug.setBreakpoint')?.request).toMatchObject({
      id: 'm',
      breakpoint: { where: { kind: 'execute', at: '0x1000', space: 'linear' }, enabled: true },
    });
    answers['debug.breakpoints'] = () => ({ breakpoints: [{ id: 5, address: '1000', where: { kind: 'execute' } }] });
    await store.refresh();
    await store.toggleBreakpoint('1000');
    expect(calls.find(({ method }) => method === 'debug.removeBreakpoint')?.request).toEqual({ id: 'm', number: 5 });
    store.leave();
  });

  it('asks once a second while the guest runs, not while it stands, and forgets a machine that is off', async () => {
    const store = useDebugger();
    store.enter('m');
    await settle();
    const standing = count('debug.status');
    await vi.advanceTimersByTimeAsync(3000);
    expect(count('debug.status')).toBe(standing);
    answers['debug.status'] = () => status(2, 'running');
    emit('debug.changed', { id: 'm', status: status(2, 'running') });
    await vi.advanceTimersByTimeAsync(3000);
    expect(count('debug.status')).toBe(standing + 3);
    const off = { id: 'm', name: 'm', state: 'stopped', bundled: null };
    emit('machines.changed', off);
    await vi.advanceTimersByTimeAsync(1000);
    expect(store.status).toBeNull();
    store.leave();
    const last = calls.length;
    await vi.advanceTimersByTimeAsync(5000);
    expect(calls.length).toBe(last);
  });
});

describe('the trap inspector', () => {
  const trap = (sequence: number) => ({ sequence, exitClass: 'port' });
  beforeEach(() => {
    const summary = {
      instructions: 1,
      classes: [],
      hostMs: 1,
      timeMs: { engine: 0, hypervisor: 0, devices: 0, idle: 0 },
    };
    Object.assign(answers, {
      'traps.record': () => null,
      'traps.summary': () => summary,
      'traps.policy': () => ({ classes: {}, strictUserMode: false }),
      'traps.audit': () => ({ rows: [] }),
      'traps.vectors': () => ({ vectors: [] }),
      'traps.hot': () => ({ places: [], samples: 0 }),
      'traps.list': ({ before }: Request) => ({
        traps: before === null || before === undefined ? [trap(10), trap(9)] : [trap(8), trap(7)],
        matched: 4,
        recorded: 4,
        capacity: 100,
      }),
    });
  });

  it('keeps the ring open each 5 s and closes it when nobody looks', async () => {
    const store = useTraps();
    store.enter('m');
    await vi.advanceTimersByTimeAsync(11_000);
    expect(calls.filter(({ method }) => method === 'traps.record').map(({ request }) => request['on'])).toEqual([
      true,
      true,
      true,
    ]);
    expect(count('traps.summary')).toBeGreaterThanOrEqual(11);
    store.leave();
    await settle();
    expect(calls.at(-1)).toMatchObject({ method: 'traps.record', request: { on: false } });
  });

  it('held rows stay; older ones are added behind them', async () => {
    const store = useTraps();
    store.enter('m');
    await settle();
    store.hold(true);
    await store.loadOlder();
    expect(store.list.map(({ sequence }) => sequence)).toEqual([10, 9, 8, 7]);
    const asked = count('traps.list');
    await vi.advanceTimersByTimeAsync(3000);
    await store.loadOlder();
    expect(count('traps.list')).toBe(asked);
    store.hold(false);
    await settle();
    expect(store.list.map(({ sequence }) => sequence)).toEqual([10, 9]);
    store.leave();
  });

  it('filters by groups of classes and by text', async () => {
    const store = useTraps();
    store.enter('m');
    await settle();
    store.toggleFilter('hlt');
    store.filterText = ' cost:>1us ';
    await settle();
    expect(calls.findLast(({ method }) => method === 'traps.list')?.request['filter']).toEqual({
      text: 'cost:>1us',
      classes: ['hlt'],
    });
    store.toggleFilter('hlt');
    await settle();
    expect(calls.findLast(({ method }) => method === 'traps.list')?.request['filter']).toMatchObject({ classes: null });
    store.leave();
  });
});
