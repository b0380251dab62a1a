// The debugger of the machine in front: where it stands, its registers, its breakpoints, what a person looks at.
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { Breakpoint, BreakpointSpecification, DebugControl, DebugStatus } from '../../core/api/debug.ts';
import { toFailureRecord } from '../../core/api/failure.ts';
import type { FailureRecord } from '../../core/api/failure.ts';
import { useClient } from '../client/client.ts';
import { addressExpression } from '../debugger/hex.ts';
import { coalesced } from '../debugger/coalesce.ts';
import { ChangeTracker } from '../debugger/registerChanges.ts';
import type { RegisterState } from '../debugger/registerChanges.ts';
import type { PaneId } from '../debugger/panes.ts';
import { isOn, useMachines } from './machines.ts';
import { useToasts } from './toasts.ts';

/** Where a person wants to go; `serial` tells two wishes for one place apart. */
export interface Wish {
  readonly expression: string;
  readonly serial: number;
}
const STEP_WAIT_MS = 1000;
const POLL_MS = 1000;
/** More changes than this in this time are a storm. */
const STORM_CHANGES = 3;
const STORM_MS = 600;

export const useDebugger = defineStore('debugger', () => {
  const client = useClient();
  const machines = useMachines();
  const toasts = useToasts();

  const machineId = ref<string | null>(null);
  const status = shallowRef<DebugStatus | null>(null);
  const failure = shallowRef<FailureRecord | null>(null);
  const registers = shallowRef<RegisterState | null>(null);
  const changed = shallowRef<ReadonlySet<string>>(new Set());
  const breakpoints = shallowRef<readonly Breakpoint[]>([]);
  const logged = shallowRef<readonly string[]>([]);
  /** Linear address of the line with the cursor. */
  const cursor = ref<string | null>(null);
  const goToOpen = ref(false);
  const runUntilOpen = ref(false);
  const codeWish = shallowRef<Wish | null>(null);
  const memoryWish = shallowRef<(Wish & { readonly space: 'linear' | 'physical' }) | null>(null);
  const walkWish = shallowRef<Wish | null>(null);
  const paneWish = shallowRef<{ readonly pane: PaneId; readonly serial: number } | null>(null);
  const layoutResets = ref(0);
  /** The breakpoint in the dialog; `new`: one to be made; null: it is closed. */
  const editing = shallowRef<Breakpoint | 'new' | null>(null);
  const tracker = new ChangeTracker();
  let serial = 0;
  let users = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  const running = computed(() => status.value?.state === 'running');
  const stopped = computed(() => status.value !== null && !running.value);
  const revision = computed(() => status.value?.revision ?? 0);
  const bits = computed(() => status.value?.mode.bits ?? 32);
  const digits = computed(() => (bits.value === 64 ? 16 : 8));
  const instructionPointer = computed(() => ({ 16: 'ip', 32: 'eip', 64: 'rip' })[bits.value]);

  let waiting: DebugStatus | null = null;
  let changes = 0;

  function take(next: DebugStatus): void {
    const now = status.value;
    if (now !== null && next.revision < now.revision) return;
    const news = now === null || next.revision !== now.revision || next.state !== now.state;
    status.value = next;
    failure.value = null;
    if (news) void refresh();
  }

  const refresh = coalesced(read);

  async function read(): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    try {
      const list = await client.call('debug.breakpoints', { id });
      if (machineId.value === id) breakpoints.value = list.breakpoints;
      const now = status.value;
      if (now === null || (now.state === 'running' && registers.value !== null)) return;
      const state = await client.call('debug.registers', { id });
      if (machineId.value !== id) return;
      changed.value = tracker.update(state, now.instructions);
      registers.value = state;
    } catch (error) {
      failure.value = toFailureRecord(error);
    }
  }

  function forget(): void {
    waiting = null;
    status.value = null;
    failure.value = null;
    registers.value = null;
    breakpoints.value = [];
    changed.value = new Set();
    cursor.value = null;
    tracker.clear();
  }

  async function loadStatus(): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    try {
      const next = await client.call('debug.status', { id });
      if (machineId.value === id) take(next);
    } catch (error) {
      if (machineId.value === id) failure.value = toFailureRecord(error);
    }
  }

  /** A view of this machine's debugger is open until `leave`. */
  function enter(id: string): void {
    users++;
    if (machineId.value !== id) {
      forget();
      logged.value = [];
      machineId.value = id;
    }
    poll();
    clearInterval(timer);
    timer = setInterval(poll, POLL_MS);
  }

  function leave(): void {
    users--;
    if (users === 0) clearInterval(timer);
  }

  function poll(): void {
    const machine = machineId.value === null ? undefined : machines.get(machineId.value);
    if (machine === undefined || !isOn(machine) || machine.state === 'starting') {
      if (status.value !== null) forget();
    } else if (status.value === null || running.value) void loadStatus();
  }

  // A few changes are shown at once. Of a storm, as when thousands of steps are taken, only the last in each while:
  // views that read the guest after every one would hold it up.
  function takeSoon(next: DebugStatus): void {
    if (++changes === 1) setTimeout(calm, STORM_MS);
    if (changes <= STORM_CHANGES) take(next);
    else waiting = next;
  }
  function calm(): void {
    const stormy = changes > STORM_CHANGES;
    const next = waiting;
    waiting = null;
    changes = stormy ? STORM_CHANGES : 0;
    if (stormy) setTimeout(calm, STORM_MS);
    if (next !== null && machineId.value !== null && users > 0) take(next);
  }

  client.on('debug.changed', ({ id, status: next }) => {
    if (id === machineId.value && users > 0) takeSoon(next);
  });
  client.on('debug.logged', ({ id, text }) => {
    if (id === machineId.value) logged.value = [...logged.value, text].slice(-1000);
  });
  client.on('machines.changed', (machine) => {
    if (machine.id !== machineId.value) return;
    if (!isOn(machine) || machine.state === 'starting') forget();
    else if (users > 0 && status.value === null) void loadStatus();
  });

  /** Waits for steps, not for what may take long. */
  async function control(wanted: DebugControl): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    const short = wanted.action.startsWith('step') || wanted.action === 'pause';
    await toasts.guard(async () =>
      take(await client.call('debug.control', { id, control: wanted, waitMs: short ? STEP_WAIT_MS : 0 })),
    );
  }

  async function changeBreakpoints(action: (id: string) => Promise<unknown>): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    await action(id);
    await refresh();
  }

  const addBreakpoint = (breakpoint: BreakpointSpecification) =>
    changeBreakpoints((id) => client.call('debug.setBreakpoint', { id, breakpoint }));

  const updateBreakpoint = (number: number, breakpoint: BreakpointSpecification) =>
    changeBreakpoints((id) => client.call('debug.updateBreakpoint', { id, number, breakpoint }));

  const removeBreakpoint = (number: number) =>
    changeBreakpoints((id) => client.call('debug.removeBreakpoint', { id, number }));

  /** F9: sets one, or takes away what is there. */
  async function toggleBreakpoint(address: string): Promise<void> {
    const here = breakpoints.value.find((one) => one.where.kind === 'execute' && one.address === address);
    await toasts.guard(() =>
      here === undefined ? named(address).then((at) => addBreakpoint(executeAt(at))) : removeBreakpoint(here.id),
    );
  }

  /** An address by its symbol, if that is what the symbol means when it is read again. */
  async function named(address: string): Promise<string> {
    const id = machineId.value;
    const plain = addressExpression(address);
    if (id === null) return plain;
    try {
      const symbol = (await client.call('debug.evaluate', { id, expression: plain })).place?.symbol;
      if (symbol == null) return plain;
      const { value } = await client.call('debug.evaluate', { id, expression: symbol });
      return BigInt(`0x${value}`) === BigInt(`0x${address}`) ? symbol : plain;
    } catch {
      return plain;
    }
  }

  async function setRegister(name: string, value: string): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    await client.call('debug.setRegister', { id, name, value });
    await loadStatus();
    await refresh();
  }

  /** On the loopback address; null: no more. */
  async function listenForGdb(port: number | null): Promise<void> {
    const id = machineId.value;
    if (id === null) return;
    await toasts.guard(async () => {
      const { address, warning } = await client.call('debug.gdb', { id, listen: port === null ? null : { port } });
      if (address !== null) toasts.info('Listening for GDB', `target remote ${address}. ${warning ?? ''}`.trim());
      await loadStatus();
    });
  }

  function showPane(pane: PaneId): void {
    paneWish.value = { pane, serial: ++serial };
  }

  function showCode(expression: string): void {
    codeWish.value = { expression, serial: ++serial };
    showPane('disassembly');
  }

  function showMemory(expression: string, space: 'linear' | 'physical' = 'linear'): void {
    memoryWish.value = { expression, space, serial: ++serial };
    showPane('memory');
  }

  function showWalk(expression: string): void {
    walkWish.value = { expression, serial: ++serial };
    showPane('walk');
  }

  return {
    machineId,
    status,
    failure,
    registers,
    changed,
    breakpoints,
    logged,
    cursor,
    goToOpen,
    runUntilOpen,
    codeWish,
    memoryWish,
    walkWish,
    paneWish,
    layoutResets,
    editing,
    running,
    stopped,
    revision,
    bits,
    digits,
    instructionPointer,
    enter,
    leave,
    control,
    refresh,
    loadStatus,
    addBreakpoint,
    updateBreakpoint,
    removeBreakpoint,
    toggleBreakpoint,
    setRegister,
    listenForGdb,
    showPane,
    showCode,
    showMemory,
    showWalk,
  };
});

export function executeAt(at: string): BreakpointSpecification {
  return {
    where: { kind: 'execute', at, space: 'linear' },
    enabled: true,
    condition: '',
    ignoreHits: 0,
    log: '',
    oneShot: false,
    addressSpace: '',
  };
}
