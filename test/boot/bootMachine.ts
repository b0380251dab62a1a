// One machine with its consoles for the boot tests: text of the serial line and of the screen, typed keys, waiting.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import type { z } from 'zod';
import { machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine } from '../../core/machine/createMachine.ts';
import type { MachineOptions, RecordedMachine } from '../../core/machine/createMachine.ts';
import type { MachineState } from '../../core/machine/machine.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';
import { VM_PROCESS_FLAGS } from '../../src-main/vm-host/spawn.ts';

// What a VM process is started with.
for (const flag of VM_PROCESS_FLAGS) v8.setFlagsFromString(flag);

const folder = fileURLToPath(new URL('../../.cache/guests', import.meta.url));

interface Guests {
  readonly files: Readonly<Record<string, string>>;
  readonly banner: string;
  readonly prompt: string;
  readonly commandLine: string;
}

function readGuests(): Guests {
  try {
    return JSON.parse(readFileSync(path.join(folder, 'guests.json'), 'utf8')) as Guests;
  } catch (error) {
    throw new Error('the guests are missing: run `node scripts/guests.mjs` first', { cause: error });
  }
}

export const guests = readGuests();

export function guestFile(name: string): string {
  const file = guests.files[name];
  if (file === undefined) throw new Error(`guests.json names no ${name}`);
  return path.join(folder, file);
}

export type Configuration = z.input<typeof machineConfigurationSchema>;

/** The busybox guest by direct load. */
export const linuxKernel = (commandLine = guests.commandLine): NonNullable<Configuration['kernel']> => ({
  path: guestFile('kernel'),
  initrd: guestFile('initramfs'),
  commandLine,
});

const POLL_MS = 20;
const SERIAL_TAIL = 3000;

const PLAIN = new Map<string, number>();
const SHIFTED = new Map<string, number>();
const layout = (first: number, plain: string, shifted: string): void => {
  [...plain].forEach((character, index) => PLAIN.set(character, first + index));
  [...shifted].forEach((character, index) => SHIFTED.set(character, first + index));
};
// US keyboard, scan code set 1 (IBM PS/2 Hardware Interface Technical Reference, "Keyboard").
layout(0x02, '1234567890-=\b\t', '!@#$%^&*()_+');
layout(0x10, 'qwertyuiop[]\n', 'QWERTYUIOP{}');
layout(0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~');
layout(0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?');
layout(0x39, ' ', '');
const LEFT_SHIFT = 0x2a;
const BREAK = 0x80;

export const KEYS = {
  escape: [0x01],
  enter: [0x1c],
  up: [0xe0, 0x48],
  down: [0xe0, 0x50],
  left: [0xe0, 0x4b],
  right: [0xe0, 0x4d],
} as const;

/** Make and break codes of one key. */
export const stroke = (make: readonly number[]): number[] => [
  ...make,
  ...make.slice(0, -1),
  (make.at(-1) ?? 0) | BREAK,
];

/** The scan codes that a person's typing of `text` gives. */
export function scanCodes(text: string): number[] {
  return [...text].flatMap((character) => {
    const plain = PLAIN.get(character);
    if (plain !== undefined) return stroke([plain]);
    const shifted = SHIFTED.get(character);
    if (shifted === undefined) throw new Error(`no key types ${JSON.stringify(character)}`);
    return [LEFT_SHIFT, ...stroke([shifted]), LEFT_SHIFT | BREAK];
  });
}

const matches = (text: string, pattern: string | RegExp): boolean =>
  typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text);

export class BootMachine {
  readonly machine: RecordedMachine;
  /** Everything that came out of COM1. */
  serial = '';
  readonly #host = createNodeHost({ log: { write: () => {} }, holder: 'boot test' });

  constructor(configuration: Configuration, options: MachineOptions = {}) {
    this.machine = createMachine(machineConfigurationSchema.parse(configuration), this.#host, options);
    this.machine.onSerialOutput(({ port, bytes }) => {
      if (port === 0) this.serial += Buffer.from(bytes).toString('latin1');
    });
  }

  /** A machine that runs. */
  static start(configuration: Configuration, options: MachineOptions = {}): BootMachine {
    const guest = new BootMachine(configuration, options);
    guest.machine.start();
    return guest;
  }

  dispose(): void {
    this.machine.dispose();
    this.#host.closeFiles();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  screen(): string[] {
    return this.machine.display.text()?.lines.map((line) => line.trimEnd()) ?? [];
  }

  screenText(): string {
    return this.screen().join('\n');
  }

  /** Waits until `what` holds; gives up early when the machine has stopped by itself. */
  async waitUntil(what: () => boolean, seconds: number, description: string): Promise<void> {
    const started = performance.now();
    while (!what()) {
      const late = performance.now() - started > seconds * 1000;
      const dead = this.machine.state !== 'running' && this.machine.state !== 'paused';
      if (late || dead) throw new Error(`${description}: ${late ? `not within ${seconds} s` : 'the machine ended'}\n${this.report()}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  waitForSerial(pattern: string | RegExp, seconds: number, from = 0): Promise<void> {
    return this.waitUntil(() => matches(this.serial.slice(from), pattern), seconds, `waiting for ${pattern} on COM1`);
  }

  waitForScreen(pattern: string | RegExp, seconds: number): Promise<void> {
    return this.waitUntil(() => matches(this.screenText(), pattern), seconds, `waiting for ${pattern} on the screen`);
  }

  async waitForState(state: MachineState, seconds: number): Promise<void> {
    const started = performance.now();
    while (this.machine.state !== state) {
      const late = performance.now() - started > seconds * 1000;
      if (late || this.machine.state === 'stopped') {
        throw new Error(`waiting for state ${state}: ${late ? `not within ${seconds} s` : 'the machine ended'}\n${this.report()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Text on the keyboard. */
  type(text: string): void {
    this.machine.keyboard(scanCodes(text));
  }

  press(key: keyof typeof KEYS): void {
    this.machine.keyboard(stroke(KEYS[key]));
  }

  /** Text on the serial line. */
  send(text: string): void {
    this.machine.serialInput(0, new TextEncoder().encode(text));
  }

  /** Runs a command in the shell on COM1 and gives what it printed. */
  async command(line: string, seconds = 20): Promise<string> {
    const from = this.serial.length;
    this.send(`${line}\n`);
    await this.waitForSerial(`\n${guests.prompt}`, seconds, from);
    const answer = this.serial.slice(from).replaceAll('\r', '');
    return answer.slice(answer.indexOf('\n') + 1, answer.lastIndexOf(`\n${guests.prompt}`) + 1).trimEnd();
  }

  /** Waits for the shells of the busybox guest. */
  async waitForShells(seconds: number): Promise<void> {
    const ready = new RegExp(`${guests.banner}[^]*${guests.prompt.trim()}`);
    await this.waitForSerial(ready, seconds);
    await this.waitForScreen(ready, 10);
  }

  /** What a person needs to see why a test failed. */
  report(): string {
    const { state, stopReason } = this.machine;
    const { instructions, guestNs, guestErrors } = this.machine.statistics();
    return [
      `state ${state} ${JSON.stringify(stopReason)}, ${instructions} instructions, ${(guestNs / 1e9).toFixed(2)} guest s, ${guestErrors} guest errors`,
      '--- screen', ...this.screen().filter((line) => line !== ''),
      '--- COM1', this.serial.slice(-SERIAL_TAIL), '---',
    ].join('\n');
  }
}
