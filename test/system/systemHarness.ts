// Runs small assembled programs on a bare CPU: RAM, a log port, an interrupt line, nothing else.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Cpu, type CpuHost } from '../../core/cpu/cpu.ts';
import type { cpuModels } from '../../core/cpu/state/cpuModels.ts';
import type { EngineName } from '../../core/cpu/state/engines.ts';
import { CS, FIELD, FLAG } from '../../core/cpu/state/layout.ts';
import { deliverExternal } from '../../core/cpu/system/interrupts.ts';
import { PhysicalMap } from '../../core/mmu/physicalMap.ts';
import { quietHost } from '../instructions/interpreterEngine.ts';

const MEBIBYTE = 1 << 20;
const RAM_BYTES = 16 * MEBIBYTE;
const LOAD_ADDRESS = 0x7c00;
const LOG_PORT = 0xe9;
/** A write raises the interrupt line for vector 30h (as a device would). */
const RAISE_PORT = 0xea;

export interface ProgramOptions {
  readonly model?: keyof typeof cpuModels;
  /** Stay in real mode: the text is 16-bit. */
  readonly real?: boolean;
  /** Instructions per slice. */
  readonly slice?: number;
}

export interface Outcome {
  /** Values that the program and its fault handlers logged. */
  readonly log: readonly number[];
  readonly activity: string;
  readonly cpu: Cpu;
}

/** Assembles the prelude with a test's text. */
export function assemble(text: string, defines: readonly string[]): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'system-'));
  try {
    writeFileSync(join(directory, 'test.asm'), text);
    const output = join(directory, 'image.bin');
    const flags = defines.map((name) => `-d${name}`);
    execFileSync('nasm', ['-w-all', '-fbin', `-i${directory}/`, ...flags, '-o', output, join(import.meta.dirname, 'prelude.asm')], {
      stdio: 'pipe',
    });
    return readFileSync(output);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A CPU with RAM and the log; nothing executed yet. */
export function bareCpu(model: keyof typeof cpuModels, host: Partial<CpuHost>): Cpu {
  const cpu = new Cpu(RAM_BYTES, model, { ...quietHost, ...host });
  const { physicalMap, ram } = cpu.map;
  new PhysicalMap(cpu.u32.subarray(physicalMap >>> 2, (physicalMap >>> 2) + (1 << 20))).map(0, RAM_BYTES, ram, true);
  return cpu;
}

/** Runs a program until it halts with interrupts off, shuts down or has run long enough: on each engine, which all do the same. */
export function runProgram(text: string, options: ProgramOptions = {}): Outcome {
  const image = assemble(text, options.real ? ['REAL'] : []);
  const interpreted = runImage(image, options, 'interpreter'), translated = runImage(image, options, 'translator');
  const { cpu } = translated;
  translations.compiled += cpu.translator.counts.compiled;
  translations.dropped += cpu.translator.counts.dropped;
  expect(translated.log).toEqual(interpreted.log);
  expect([cpu.instructionCount, cpu.rip, cpu.eflags, translated.activity]).toEqual([
    interpreted.cpu.instructionCount, interpreted.cpu.rip, interpreted.cpu.eflags, interpreted.activity,
  ]);
  expect(general(cpu)).toEqual(general(interpreted.cpu));
  return interpreted;
}
/** What the translator did for all programs so far. */
export const translations = { compiled: 0, dropped: 0 };
const general = (cpu: Cpu): number[] => Array.from({ length: 16 }, (_, index) => cpu.reg32(index));

function runImage(image: Uint8Array, options: ProgramOptions, engine: EngineName): Outcome {
  let logged = '';
  const cpu = bareCpu(options.model ?? 'pentium3', {
    portRead: () => 0xff,
    portWrite: (port, value) => {
      if (port === LOG_PORT) logged += String.fromCharCode(value & 0xff);
      else if (port === RAISE_PORT) cpu.setInterruptLine(true);
    },
    acknowledgeInterrupt: () => {
      cpu.setInterruptLine(false);
      return 0x30;
    },
    timestamp: () => cpu.instructionCount,
    cycles: () => cpu.instructionCount,
    performanceInterrupt: () => cpu.setInterruptLine(true),
  });
  cpu.setEngine(engine);
  // All code is hot.
  cpu.translator.threshold = 1;
  cpu.sampleDistance = 1;
  cpu.u8.set(image, cpu.map.ram + LOAD_ADDRESS);
  cpu.setSegment(CS, 0, 0, 0xffff, 0x93);
  cpu.rip = LOAD_ADDRESS;
  for (let turn = 0; turn < 20_000; turn++) {
    if (cpu.canTakeInterrupt) deliverExternal(cpu, cpu.host.acknowledgeInterrupt());
    if (cpu.activity === 'shutdown') break;
    if (cpu.activity === 'halted') {
      if ((cpu.get32(FIELD.eflags) & FLAG.IF) === 0) break;
      if (cpu.get32(FIELD.interruptPending) === 0) break;
      continue;
    }
    cpu.run(Math.max(1, Math.min(options.slice ?? 50, cpu.performance.countAtOverflow(1) - cpu.instructionCount)));
  }
  const log = logged.split('\n').filter((line) => line !== '').map((line) => parseInt(line, 16));
  return { log, activity: cpu.activity, cpu };
}
