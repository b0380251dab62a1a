// What the debugger costs: Debian's kernel under a steady load in one machine, its speed measured in turn with the
// debugger closed and with breakpoints, watches and the trap inspector; steps, pauses and searches timed.
//   node debugger.ts '{"kernel": ..., "initrd": ..., "commandLine": ..., "until": "banner", "rounds": 5}'     prints one JSON line
import { createDebugService, createMachine } from '../../core/api/engine.ts';
import type { BreakpointSpecification } from '../../core/api/debug.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createNodeDebugHost } from '../../src-main/vm-host/nodeDebugHost.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';

const task = JSON.parse(process.argv[2] ?? '{}') as { kernel: string; initrd: string; commandLine: string; until: string; rounds: number };
const WINDOW_MS = 1500;
const SEARCHED_MIB = 512;

const host = createNodeHost({ log: { write: () => {} }, holder: 'benchmark' });
const configuration = { memoryMiB: SEARCHED_MIB, kernel: { path: task.kernel, initrd: task.initrd, commandLine: task.commandLine } };
const machine = createMachine(machineConfigurationSchema.parse(configuration), host);
let serial = '';
machine.onSerialOutput(({ bytes }) => (serial += String.fromCharCode(...bytes)));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

machine.start();
while (!serial.includes(task.until)) await sleep(50);
await sleep(500);
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
const pause = () => handlers['debug.control']({ control: { action: 'pause' }, waitMs: 1000 });
const resume = () => handlers['debug.control']({ control: { action: 'continue' }, waitMs: 0 });
const set = (where: BreakpointSpecification['where']) =>
  handlers['debug.setBreakpoint']({ breakpoint: { where, enabled: true, condition: '', ignoreHits: 0, log: '', oneShot: false, addressSpace: '' } });
const evaluate = async (expression: string): Promise<bigint> => BigInt(`0x${(await handlers['debug.evaluate']({ expression })).value}`);

// Pages that the kernel uses all the time: its per-CPU data with the GDT and the TSS.
await pause();
const [gdt, tss] = [await evaluate('gdtr.base & ~0fffh'), await evaluate('tr.base & ~0fffh')];
const pages = [gdt, tss, tss + 4096n, gdt + 4096n];

/** A word of a busy page that is not written itself: the watch costs what it costs without stopping the guest. */
async function quietWord(page: bigint): Promise<BreakpointSpecification['where']> {
  for (let offset = 0n; offset < 4096n; offset += 60n) {
    const where: BreakpointSpecification['where'] = { kind: 'data', at: `0n${page + offset}`, space: 'linear', length: 4, access: 'write' };
    const { id } = await set(where);
    await resume();
    await sleep(150);
    const isQuiet = machine.state === 'running';
    if (isQuiet) await pause();
    await handlers['debug.removeBreakpoint']({ id });
    if (isQuiet) return where;
  }
  throw new Error(`every word of page ${page.toString(16)} is written`);
}
const watched: BreakpointSpecification['where'][] = [];
for (const page of pages) watched.push(await quietWord(page));
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
  runs.breakpoint.push((await withBreakpoints([elsewhere], speed)) / reference);
  runs.watches.push((await withBreakpoints(watched, speed)) / reference);
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
