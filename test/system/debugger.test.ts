// Breakpoints of every kind and all ways to step, over the real machine: a small boot sector and the tour guest.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { createDebugService, createMachine } from '../../core/api/engine.ts';
import { breakpointSpecificationSchema, type Breakpoint, type DebugControl, type DebugStatus } from '../../core/api/debug.ts';
import type { DebugService } from '../../core/api/debugService.ts';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import type { RecordedMachine } from '../../core/machine/createMachine.ts';
import { createNodeDebugHost } from '../../src-main/vm-host/nodeDebugHost.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';

const tour = fileURLToPath(new URL('../../assets/guests/tour/tour.img', import.meta.url));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A boot sector that goes round and round through one of everything; labels' addresses come from the listing. */
const PROGRAM = `
bits 16
org 0x7c00
start:
  cli
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7a00
  mov word [0x0d * 4], fault
  mov word [0x0d * 4 + 2], 0
  mov word [0x06 * 4], fault
  mov word [0x06 * 4 + 2], 0
  mov word [0x60 * 4], service
  mov word [0x60 * 4 + 2], 0
  lgdt [gdtr]
again:
  inc dword [round]
read_it:
  mov eax, [variable]
read_done:
  mov byte [variable + 3], 7
write_done:
  mov al, 0x5a
  out 0x80, al
out_done:
  in al, 0x61
in_done:
  mov ax, 0xb800
  mov es, ax
  mov byte [es:0x20], 'x'
mmio_done:
  int 0x60
int_done:
  ud2
ud_done:
  call outer
call_done:
  mov eax, cr0
  or al, 1
  mov cr0, eax
mode_done:
  and al, 0xfe
  mov cr0, eax
  mov eax, 0x1000
  mov cr3, eax
cr3_done:
  mov ecx, 0x174
  xor edx, edx
  mov eax, 8
  wrmsr
msr_done:
  sidt [scratch]
sidt_done:
  pushf
  pop ax
  jmp again

outer:
  push bp
  mov bp, sp
  call inner
after_inner:
  pop bp
  ret
inner:
  nop
  nop
  ret
service:
  nop
  iret
fault:
  push bp
  mov bp, sp
  add word [bp + 2], 2
  pop bp
  iret
align 4
round: dd 0
variable: dd 1
scratch: dd 0, 0
gdtr: dw 0
  dd 0
times 446 - ($ - $$) db 0
db 80h, 0, 2, 0, 7Fh, 0Fh, 3Fh, 0
dd 1, 1000
times 510 - ($ - $$) db 0
dw 0xaa55
times 1008 * 512 - ($ - $$) db 0
`;

const host = createNodeHost({ log: { write: () => {} }, holder: 'debugger test' });
let folder: string, image: string;
const labels = new Map<string, number>();
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'debugger-'));
  image = path.join(folder, 'program.img');
  const source = path.join(folder, 'program.asm'), map = path.join(folder, 'program.map');
  writeFileSync(source, `[map symbols ${map}]\n${PROGRAM}`);
  execFileSync('nasm', ['-fbin', '-o', image, source]);
  const text = execFileSync('cat', [map], { encoding: 'utf8' });
  for (const [, value, name] of text.matchAll(/^\s*([0-9A-F]+)\s+[0-9A-F]+\s+(\w+)\s*$/gm)) labels.set(name!, parseInt(value!, 16));
});
afterAll(() => {
  host.closeFiles();
  rmSync(folder, { recursive: true });
});

const at = (name: string): number => labels.get(name)!;
const hex = (value: number): string => `0x${value.toString(16)}`;

class Stage {
  readonly machine: RecordedMachine;
  readonly service: DebugService;
  readonly logs: string[] = [];
  constructor(disk: string) {
    const configuration = machineConfigurationSchema.parse({ memoryMiB: 16, clock: 'virtual', disks: [{ path: disk, readOnly: true }] });
    this.machine = createMachine(configuration, host);
    this.service = createDebugService(this.machine, createNodeDebugHost());
    this.service.onLogged((text) => this.logs.push(text));
    this.machine.startPaused();
  }
  [Symbol.dispose](): void {
    this.service.dispose();
    this.machine.dispose();
  }
  async status(): Promise<DebugStatus> {
    return (await this.service.handlers['debug.status']({})) as DebugStatus;
  }
  async control(control: DebugControl, waitMs = 5000): Promise<DebugStatus> {
    return (await this.service.handlers['debug.control']({ control, waitMs })) as DebugStatus;
  }
  async continue(): Promise<DebugStatus> {
    await this.control({ action: 'continue' }, 0);
    for (const end = performance.now() + 5000; performance.now() < end; ) {
      const status = await this.status();
      if (status.state !== 'running') return status;
      await this.service.handlers['debug.wait']({ revision: status.revision, waitMs: 100 });
    }
    throw new Error('nothing stops it');
  }
  async break(specification: z.input<typeof breakpointSpecificationSchema>): Promise<Breakpoint> {
    return (await this.service.handlers['debug.setBreakpoint']({ breakpoint: breakpointSpecificationSchema.parse(specification) })) as Breakpoint;
  }
  async breakpoints(): Promise<readonly Breakpoint[]> {
    return (await this.service.handlers['debug.breakpoints']({})).breakpoints as Breakpoint[];
  }
  async clear(): Promise<void> {
    for (const { id } of await this.breakpoints()) await this.service.handlers['debug.removeBreakpoint']({ id });
  }
  async evaluate(expression: string): Promise<bigint> {
    return BigInt(`0x${(await this.service.handlers['debug.evaluate']({ expression })).value}`);
  }
  /** Goes to a place in the program. */
  async goTo(label: string): Promise<DebugStatus> {
    const status = await this.control({ action: 'run-to', target: hex(at(label)) });
    expect(status.place.address).toBe(at(label).toString(16));
    return status;
  }
}

describe('breakpoints in a program', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = new Stage(image);
    await stage.goTo('again');
  });
  afterAll(() => stage?.[Symbol.dispose]());

  type Where = z.input<typeof breakpointSpecificationSchema>['where'];
  /** Where each stops: behind the instruction that did it, in front of it for execution. */
  const kinds: readonly (readonly [string, () => Where, string])[] = [
    ['execute, linear', () => ({ kind: 'execute', at: hex(at('int_done')) }), 'int_done'],
    ['execute, physical', () => ({ kind: 'execute', at: hex(at('ud_done')), space: 'physical' }), 'ud_done'],
    ['data, read', () => ({ kind: 'data', at: hex(at('variable')), access: 'read' }), 'read_done'],
    ['data, write of a byte of it', () => ({ kind: 'data', at: hex(at('variable')), access: 'write' }), 'write_done'],
    ['data, one byte that a longer access meets', () => ({ kind: 'data', at: hex(at('variable') + 2), length: 1, access: 'access' }), 'read_done'],
    ['data, a long range, physical', () => ({ kind: 'data', space: 'physical', at: hex(at('variable') + 1), length: 3, access: 'write' }), 'write_done'],
    ['port write', () => ({ kind: 'port', from: 0x80, to: 0x80, access: 'write' }), 'out_done'],
    ['port read in a range', () => ({ kind: 'port', from: 0x60, to: 0x63, access: 'read' }), 'in_done'],
    ['MMIO', () => ({ kind: 'mmio', from: '0xb8020', length: 1, access: 'write' }), 'mmio_done'],
    ['interrupt', () => ({ kind: 'interrupt', vector: 0x60 }), 'service'],
    ['exception', () => ({ kind: 'exception', vector: 6 }), 'fault'],
    ['any exception', () => ({ kind: 'exception' }), 'fault'],
    ['control register', () => ({ kind: 'control-register', register: 'cr0' }), 'mode_done'],
    ['mode', () => ({ kind: 'mode-change' }), 'mode_done'],
    ['CR3', () => ({ kind: 'control-register', register: 'cr3' }), 'cr3_done'],
    ['address space', () => ({ kind: 'address-space' }), 'cr3_done'],
    ['MSR', () => ({ kind: 'msr', index: 0x174 }), 'msr_done'],
    ['exit class', () => ({ kind: 'exit', exitClass: 'msr' }), 'msr_done'],
    ['instruction class', () => ({ kind: 'instruction', class: 'sensitive-unprivileged' }), ''],
    ['instruction class privileged', () => ({ kind: 'instruction', class: 'privileged' }), ''],
  ];
  it.each(kinds)('%s', async (_name, where, label) => {
    await stage.goTo('again');
    const { instructions: before } = await stage.status();
    const { id, problem } = await stage.break({ where: where() });
    expect(problem).toBeNull();
    const status = await stage.continue();
    expect(status.stop?.breakpointId, JSON.stringify(status.stop)).toBe(id);
    if (label !== '') expect(status.place.address, status.stop?.text).toBe(at(label).toString(16));
    const { instructions } = status;
    // The count is that of single steps from the same place; a step into a fault's handler retires nothing.
    await stage.clear();
    await stage.goTo('again');
    const { instructions: from } = await stage.status();
    let stepped = await stage.control({ action: 'step-into', count: 1 });
    for (let steps = 1; steps < 60 && stepped.place.address !== status.place.address; steps++) stepped = await stage.control({ action: 'step-into', count: 1 });
    expect(stepped.place.address).toBe(status.place.address);
    expect(stepped.instructions - from).toBe(instructions - before);
  });

  it('conditions, ignored hits, one-shot and log points', async () => {
    await stage.goTo('again');
    const round = await stage.evaluate(`dword [${hex(at('round'))}]`);
    const here = hex(at('out_done'));
    await stage.break({ where: { kind: 'execute', at: here }, condition: `dword [${hex(at('round'))}] == ${hex(Number(round) + 5)}` });
    expect((await stage.continue()).stop?.text).toContain('condition true');
    expect(await stage.evaluate(`dword [${hex(at('round'))}]`)).toBe(round + 5n);
    await stage.clear();
    await stage.break({ where: { kind: 'execute', at: here }, ignoreHits: 3, oneShot: true });
    await stage.continue();
    expect(await stage.evaluate(`dword [${hex(at('round'))}]`)).toBe(round + 9n);
    expect(await stage.breakpoints()).toEqual([]);
    await stage.break({ where: { kind: 'port', from: 0x80, to: 0x80 }, log: 'wrote {al}' });
    await stage.break({ where: { kind: 'execute', at: hex(at('sidt_done')) }, ignoreHits: 4 });
    stage.logs.length = 0;
    await stage.continue();
    expect(stage.logs).toHaveLength(4);
    expect(stage.logs[0]).toMatch(/wrote 5a/i);
    await stage.clear();
  });

  it('only in one address space', async () => {
    await stage.goTo('again');
    await stage.break({ where: { kind: 'execute', at: hex(at('out_done')) }, addressSpace: '0x2000' });
    await stage.break({ where: { kind: 'execute', at: hex(at('in_done')) }, addressSpace: '0x1000' });
    for (const round of [1, 2]) expect((await stage.continue()).place.address, `${round}`).toBe(at('in_done').toString(16));
    await stage.clear();
  });

  it('steps into, over and out', async () => {
    await stage.goTo('ud_done');
    await stage.control({ action: 'step-into', count: 1 });
    expect((await stage.status()).place.address).toBe(at('outer').toString(16));
    await stage.control({ action: 'step-into', count: 2 });
    const over = await stage.control({ action: 'step-over' });
    expect(over.place.address).toBe(at('after_inner').toString(16));
    expect((await stage.control({ action: 'step-out' })).place.address).toBe(at('call_done').toString(16));
    await stage.goTo('mmio_done');
    expect((await stage.control({ action: 'step-over' })).place.address).toBe(at('int_done').toString(16));
  });

  it('runs to events and conditions', async () => {
    await stage.goTo('again');
    expect((await stage.control({ action: 'run-to-event', event: 'interrupt' })).place.address).toBe(at('service').toString(16));
    expect((await stage.control({ action: 'run-to-event', event: 'iret' })).place.address).toBe(at('int_done').toString(16));
    expect((await stage.control({ action: 'run-to-event', event: 'exception' })).place.address).toBe(at('fault').toString(16));
    expect((await stage.control({ action: 'run-to-event', event: 'mode-change' })).place.address).toBe(at('mode_done').toString(16));
    expect((await stage.control({ action: 'run-to-event', event: 'address-space' })).place.address).toBe(at('cr3_done').toString(16));
    const until = await stage.control({ action: 'run-until', condition: `eip == ${hex(at('msr_done'))}` });
    expect(until.stop?.kind).toBe('condition');
    expect(until.place.address).toBe(at('msr_done').toString(16));
  });

  it('pauses a busy guest in under 50 ms', async () => {
    for (let time = 0; time < 10; time++) {
      await stage.control({ action: 'continue' }, 0);
      await sleep(30);
      const started = performance.now();
      expect((await stage.control({ action: 'pause' })).state).toBe('paused');
      expect(performance.now() - started).toBeLessThan(50);
    }
  });

  it('tells what is wrong instead of doing it', async () => {
    await expect(stage.break({ where: { kind: 'execute', at: '7c00' }, condition: '1 +' })).rejects.toThrow(/./);
    const unknown = await stage.break({ where: { kind: 'execute', at: 'no_such_symbol' } });
    expect(unknown.problem).toMatch(/no_such_symbol/);
    await stage.clear();
    const broken = await stage.break({ where: { kind: 'execute', at: hex(at('out_done')) }, condition: 'dword [0xf0000000] == 1' });
    const status = await stage.continue();
    expect(status.stop?.breakpointId).toBe(broken.id);
    expect((await stage.breakpoints())[0]?.problem).not.toBeNull();
    await stage.clear();
  });
});

describe('breakpoints in the tour', () => {
  it('privilege changes: into ring 3 by IRET, back by a trap', async () => {
    using stage = new Stage(tour);
    stage.machine.start();
    for (let wait = 0; wait < 200 && !(stage.machine.display.text()?.lines.join('\n') ?? '').includes('chapter 1 of 7'); wait++) await sleep(20);
    await stage.break({ where: { kind: 'privilege-change' } });
    stage.machine.serialInput(0, Uint8Array.of(0x33));
    for (let wait = 0; wait < 200 && (await stage.status()).state === 'running'; wait++) await sleep(10);
    const into = await stage.status();
    expect(into.mode.privilege).toBe(3);
    expect(into.place.address).toBe('10b5c');
    const back = await stage.continue();
    expect(back.mode.privilege).toBe(0);
    // The vector of #GP.
    expect(back.place.address).toBe('10189');
  });
});
