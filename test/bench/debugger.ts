// What the debugger costs: Debian's kernel under a steady load in one machine, its speed measured in turn with the
// debugger closed and with breakpoints, watches and the trap inspector; steps, pauses and searches timed.
//   node debugger.ts '{"kernel": ..., "initrd": ..., "rounds": 5}'     prints one JSON line
import { createDebugService, createMachine } from '../../core/api/engine.ts';
import type { BreakpointSpecification } from '../../core/api/debug.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createNodeDebugHost } from '../../src-main/vm-host/nodeDebugHost.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';

const task = JSON.parse(process.argv[2] ?? '{}') as { kernel: string; initrd: string; rounds: number };
const WINDOW_MS = 1500;
const SEARCHED_MIB = 512;

const host = createNodeHost({ log: { write: () => {} }, holder: 'benchmark' });
const configuration = { memoryMiB: SEARCHED_MIB, kernel: { path: task.kernel, initrd: task.initrd, commandLine: 'console=ttyS0 loglevel=4' } };
const machine = createMachine(machineConfigurationSchema.parse(configuration), host);
let serial = '';
machine.onSerialOutput(({ bytes }) => (serial += String.fromCharCode(...bytes)));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

machine.start();
while (!/[#$] $/.test(serial)) await sleep(50);
machine.serialInput(0, new TextEncoder().encode('while true; do md5sum /bin/busybox; find / -xdev | wc -l; done >/dev/null 2>&1\n'));
await sleep(4000);

/** Million instructions a second of execution over a window. */
async function speed(): Promise<number> {
  await sleep(200);
  const from = machine.statistics().instructions, started = performance.now();
  await sleep(WINDOW_MS);
  return (machine.statistics().instructions - from) / (performance.now() - started) / 1000;
}

const before = await speed();
const service = createDebugService(machine, createNodeDebugHost());
const { handlers } = service;
const status = async () => handlers['debug.status']({});
const pause = () => handlers['debug.control']({ control: { action: 'pause' }, waitMs: 1000 });
const resume = () => handlers['debug.control']({ control: { action: 'continue' }, waitMs: 0 });
const set = (where: BreakpointSpecification['where']) =>
  handlers['debug.setBreakpoint']({ breakpoint: { where, enabled: true, condition: '', ignoreHits: 0, log: '', oneShot: false, addressSpace: '' } });
const evaluate = async (expression: string): Promise<bigint> => BigInt(`0x${(await handlers['debug.evaluate']({ expression })).value}`);

// Places that the kernel uses all the time: its per-CPU page with the GDT, a hot stack, the TSS.
await pause();
const hot: string[] = [];
while (hot.length === 0) {
  if (((await status()).mode.privilege) === 0 && (await evaluate('esp')) > 0xc0000000n) hot.push(`${(await evaluate('esp & ~0fffh')).toString()}`);
  else {
    await resume();
    await sleep(7);
    await pause();
  }
}
const watched = [`${await evaluate('gdtr.base')}`, `${await evaluate('tr.base')}`, `${(await evaluate('tr.base')) + 4096n}`, hot[0]!];
await resume();

async function withBreakpoints(places: readonly BreakpointSpecification['where'][], measure: () => Promise<number>): Promise<number> {
  const made = [];
  for (const where of places) made.push(await set(where));
  const result = await measure();
  for (const { id } of made) await handlers['debug.removeBreakpoint']({ id });
  return result;
}

const runs: Record<'closed' | 'breakpoint' | 'watches' | 'recording', number[]> = { closed: [], breakpoint: [], watches: [], recording: [] };
for (let round = 0; round < task.rounds; round++) {
  const reference = await speed();
  const elsewhere: BreakpointSpecification['where'] = { kind: 'execute', at: '7c00', space: 'linear' };
  const data = watched.map((at): BreakpointSpecification['where'] => ({ kind: 'data', at: `0n${at}`, space: 'linear', length: 4, access: 'write' }));
  runs.breakpoint.push((await withBreakpoints([elsewhere], speed)) / reference);
  runs.watches.push((await withBreakpoints(data.map((where) => ({ ...where })), () => speed())) / reference);
  await handlers['traps.record']({ on: true, keep: true });
  runs.recording.push((await speed()) / reference);
  await handlers['traps.record']({ on: false, keep: false });
  runs.closed.push((await speed()) / reference);
}

const pauses: number[] = [];
for (let count = 0; count < 30; count++) {
  const started = performance.now();
  await pause();
  pauses.push(performance.now() - started);
  await resume();
  await sleep(20);
}
await pause();
const stepStart = performance.now();
for (let count = 0; count < 1000; count++) await handlers['debug.control']({ control: { action: 'step-into', count: 1 }, waitMs: 1000 });
const stepsMs = performance.now() - stepStart;

const searchStart = performance.now();
let next: string | null = null;
let matches = 0;
do {
  const pattern = { kind: 'text', value: 'Linux version', ignoreCase: false } as const;
  const piece: Awaited<ReturnType<(typeof handlers)['debug.searchMemory']>> = await handlers['debug.searchMemory']({
    space: 'physical', from: '0', to: `0n${SEARCHED_MIB * 2 ** 20 - 1}`, pattern, limit: 1000, next,
  });
  matches += piece.matches.length;
  next = piece.next;
} while (next !== null);
const searchMs = performance.now() - searchStart;

console.log(JSON.stringify({
  seconds: 0, before,
  closed: median(runs.closed), breakpoint: median(runs.breakpoint), watches: median(runs.watches), recording: median(runs.recording), runs,
  pauseMs: Math.max(...pauses), stepsMs, searchMs, matches,
}));
process.exit();
