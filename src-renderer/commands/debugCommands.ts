// What a person can do with the debugger of the machine in front.
import { eventKinds } from '../../core/api/debug.ts';
import type { DebugControl, DebugEventKind } from '../../core/api/debug.ts';
import type { MachineSummary } from '../../core/api/machines.ts';
import { addressExpression } from '../debugger/hex.ts';
import { PANES } from '../debugger/panes.ts';
import { useDebugger } from '../stores/debugger.ts';
import { isOn } from '../stores/machines.ts';
import type { Command } from './commands.ts';

export const EVENT_TITLES: Readonly<Record<DebugEventKind, string>> = {
  interrupt: 'Run to the next interrupt',
  exception: 'Run to the next exception',
  iret: 'Run to the next IRET',
  'mode-change': 'Run to the next change of mode',
  'privilege-change': 'Run to the next change of privilege',
  'address-space': 'Run to the next switch of address space (CR3)',
  exit: 'Run to the next exit',
};

/** QEMU's and most tutorials' choice. */
const GDB_PORT = 1234;

export interface DebugPlaceInWindow {
  /** Debug or Traps is in front: single keys step. */
  readonly inFront: boolean;
  /** Brings the Debug tab to the front. */
  show(): unknown;
}

export function useDebugCommands(): (machine: MachineSummary, place: DebugPlaceInWindow) => Command[] {
  const store = useDebugger();

  return (machine, { inFront, show }) => {
    const on = isOn(machine);
    const known = store.machineId === machine.id && store.status !== null;
    const running = known ? store.running : machine.state === 'running';
    const why = (needs: 'running' | 'stopped'): { unavailable?: string } => {
      if (!on || machine.state === 'starting') return { unavailable: 'It is off' };
      if (needs === 'running') return running ? {} : { unavailable: 'It stands already' };
      return running
        ? { unavailable: 'It runs: pause it first' }
        : known
          ? {}
          : { unavailable: 'Open the Debug tab first' };
    };
    // Elsewhere these keys are the browser's.
    const keys = (text: string): { keys?: string } => (inFront ? { keys: text } : {});
    const step = (id: string, title: string, text: string, control: DebugControl): Command => ({
      id,
      title,
      group: 'Debug',
      ...keys(text),
      ...why('stopped'),
      run: () => store.control(control),
    });
    const { cursor } = store;
    const atCursor = cursor === null ? { unavailable: 'No line has the cursor' } : why('stopped');
    return [
      step('debug-continue', 'Continue the guest', 'F5', { action: 'continue' }),
      {
        id: 'debug-pause',
        title: 'Pause in the debugger',
        group: 'Debug',
        ...keys('F6'),
        ...why('running'),
        run: () => store.control({ action: 'pause' }),
      },
      step('debug-over', 'Step over', 'F10', { action: 'step-over' }),
      step('debug-into', 'Step into', 'F11', { action: 'step-into', count: 1 }),
      step('debug-out', 'Step out', 'Shift F11', { action: 'step-out' }),
      step('debug-line', 'Step one source line', 'Shift F10', { action: 'step-line' }),
      {
        id: 'debug-cursor',
        title: 'Run to the cursor',
        group: 'Debug',
        ...keys('Ctrl F10'),
        ...atCursor,
        run: () => cursor !== null && store.control({ action: 'run-to', target: addressExpression(cursor) }),
      },
      {
        id: 'debug-breakpoint',
        title: 'Set or remove the breakpoint at the cursor',
        group: 'Debug',
        ...keys('F9'),
        ...(on ? (cursor === null ? { unavailable: 'No line has the cursor' } : {}) : { unavailable: 'It is off' }),
        run: () => cursor !== null && store.toggleBreakpoint(cursor),
      },
      {
        id: 'debug-add-breakpoint',
        title: 'Add a breakpoint…',
        group: 'Debug',
        ...(on ? {} : { unavailable: 'It is off' }),
        run: async () => {
          await show();
          store.editing = 'new';
        },
      },
      {
        id: 'debug-go-to',
        title: 'Go to address or symbol…',
        group: 'Debug',
        keys: 'Ctrl G',
        ...(on ? {} : { unavailable: 'It is off' }),
        run: () => (store.goToOpen = true),
      },
      ...eventKinds.map((event) => ({
        id: `debug-event-${event}`,
        title: EVENT_TITLES[event],
        group: 'Debug' as const,
        ...why('stopped'),
        run: () => store.control({ action: 'run-to-event', event }),
      })),
      {
        id: 'debug-until',
        title: 'Run until a condition, or many steps…',
        group: 'Debug',
        ...why('stopped'),
        run: async () => {
          await show();
          store.runUntilOpen = true;
        },
      },
      store.status?.gdb == null
        ? {
            id: 'debug-gdb',
            title: `Listen for GDB on 127.0.0.1:${GDB_PORT}`,
            group: 'Debug',
            ...(on && known ? {} : { unavailable: 'Open the Debug tab first' }),
            run: () => store.listenForGdb(GDB_PORT),
          }
        : { id: 'debug-gdb', title: 'Stop listening for GDB', group: 'Debug', run: () => store.listenForGdb(null) },
      ...PANES.map(({ id, title }) => ({
        id: `pane-${id}`,
        title: `Show pane: ${title}`,
        group: 'Debug' as const,
        ...(on ? {} : { unavailable: 'It is off' }),
        run: async () => {
          await show();
          store.showPane(id);
        },
      })),
      {
        id: 'debug-layout',
        title: 'Default layout of the panes',
        group: 'Debug',
        ...(on && inFront ? {} : { unavailable: 'Open the Debug tab first' }),
        run: () => store.layoutResets++,
      },
    ];
  };
}
