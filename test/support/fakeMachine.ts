// A machine without a processor, for tests of everything around one: a tiny shell on screen, keyboard and COM1.
import { Emitter } from '../../core/base/emitter.ts';
import type { DisplayMode, DisplayRectangle, DisplaySource } from '../../core/host/display.ts';
import type { MachineConfiguration } from '../../core/machine/configuration.ts';
import type { Machine, MachineHost, MachineState, MachineStatistics, StopReason } from '../../core/machine/machine.ts';
import type { BlockStore } from '../../core/host/blockStore.ts';

const COLUMNS = 80;
const ROWS = 25;
const CELL = { width: 9, height: 16 };

/** Set 1 make codes of the keys the shell knows (IBM PC AT technical reference, scan code set 1). */
const KEYS: Readonly<Record<number, string>> = Object.fromEntries(
  [
    ['1234567890-=', 0x02],
    ['qwertyuiop[]\n', 0x10],
    ["asdfghjkl;'", 0x1e],
    ['zxcvbnm,./', 0x2c],
    [' ', 0x39],
  ].flatMap(([characters, first]) =>
    [...(characters as string)].map((character, index) => [(first as number) + index, character]),
  ),
);

class FakeDisplay implements DisplaySource {
  lines: string[] = Array.from({ length: ROWS }, () => ' '.repeat(COLUMNS));
  row = 0;
  column = 0;
  on = false;
  #version = 0;
  readonly #seen = new WeakMap<object, number>();

  mode(): DisplayMode {
    if (!this.on) return { width: 720, height: 400 };
    return { width: COLUMNS * CELL.width, height: ROWS * CELL.height, text: { columns: COLUMNS, rows: ROWS } };
  }

  write(text: string): void {
    for (const character of text) {
      if (character === '\n' || this.column === COLUMNS) {
        this.column = 0;
        if (++this.row === ROWS) {
          this.lines = [...this.lines.slice(1), ' '.repeat(COLUMNS)];
          this.row = ROWS - 1;
        }
      }
      if (character === '\n') continue;
      const line = this.lines[this.row]!;
      this.lines[this.row] = line.slice(0, this.column) + character + line.slice(this.column + 1);
      this.column++;
    }
    this.#version++;
  }

  clear(): void {
    this.lines = Array.from({ length: ROWS }, () => ' '.repeat(COLUMNS));
    this.row = 0;
    this.column = 0;
    this.#version++;
  }

  update(consumer: object, full = false): { mode: DisplayMode; rectangles: DisplayRectangle[] } {
    const mode = this.mode();
    if (!full && this.#seen.get(consumer) === this.#version) return { mode, rectangles: [] };
    this.#seen.set(consumer, this.#version);
    return { mode, rectangles: [{ x: 0, y: 0, width: mode.width, height: mode.height, pixels: this.#draw(mode) }] };
  }

  text(): { lines: string[]; cursor: { row: number; column: number } } | null {
    return this.on ? { lines: [...this.lines], cursor: { row: this.row, column: this.column } } : null;
  }

  /** Each character is a pattern of its code's bits: enough to tell one picture from another. */
  #draw(mode: DisplayMode): Uint8ClampedArray<ArrayBuffer> {
    const pixels = new Uint8ClampedArray(mode.width * mode.height * 4);
    for (let y = 0; y < mode.height; y++) {
      for (let x = 0; x < mode.width; x++) {
        const code = this.on ? (this.lines[y >> 4]?.charCodeAt(Math.floor(x / CELL.width)) ?? 32) : 32;
        const bit = ((y >> 2) & 3) * 2 + ((Math.floor((x % CELL.width) / 4) & 1) === 0 ? 0 : 1);
        const lit = code > 32 && y % 16 > 2 && y % 16 < 14 && x % CELL.width < 8 && ((code >> (bit % 7)) & 1) !== 0;
        const at = (y * mode.width + x) * 4;
        pixels.fill(lit ? 170 : 0, at, at + 3);
        pixels[at + 3] = 255;
      }
    }
    return pixels;
  }
}

export class FakeMachine implements Machine {
  readonly display = new FakeDisplay();
  readonly #host: MachineHost;
  readonly #configuration: MachineConfiguration;
  readonly #stores: BlockStore[] = [];
  readonly #state = new Emitter<MachineState>();
  readonly #serial = new Emitter<{ port: number; bytes: Uint8Array }>();
  readonly #debug = new Emitter<Uint8Array>();
  readonly #errors = new Emitter<{ source: string; what: string; detail: string }>();
  readonly onState = this.#state.event;
  readonly onSerialOutput = this.#serial.event;
  readonly onDebugOutput = this.#debug.event;
  readonly onGuestError = this.#errors.event;
  state: MachineState = 'stopped';
  stopReason: StopReason | null = null;
  #input = '';
  #serialLine = '';
  #startedMs = 0;
  #mouse = { x: 0, y: 0, buttons: 0 };

  constructor(configuration: MachineConfiguration, host: MachineHost) {
    this.#configuration = configuration;
    this.#host = host;
    try {
      for (const disk of configuration.disks) {
        this.#stores.push(host.openBlockStore(disk.path, { readOnly: disk.readOnly, sectorBytes: 512 }));
      }
      if (configuration.cdrom !== null) {
        this.#stores.push(host.openBlockStore(configuration.cdrom, { readOnly: true, sectorBytes: 2048 }));
      }
    } catch (error) {
      for (const store of this.#stores) store.close();
      throw error;
    }
  }

  start(): void {
    const first = this.state === 'stopped';
    this.#enter('running', null);
    if (first) this.#boot();
  }

  startPaused(): void {
    this.start();
    this.pause();
  }

  pause(): void {
    this.#enter('paused', null);
  }

  reset(): void {
    this.#enter('running', null);
    this.#boot();
  }

  powerOff(): void {
    this.display.on = false;
    this.#enter('stopped', { kind: 'power-off' });
  }

  pressPowerButton(): void {
    this.#print('power button pressed, good night\n');
    this.#host.clock.after(100, () => this.#enter('stopped', { kind: 'guest-power-off' }));
  }

  dispose(): void {
    for (const store of this.#stores) store.close();
  }

  keyboard(scanCodes: readonly number[]): void {
    for (const code of scanCodes) {
      if (code === 0x0e) this.#input = this.#input.slice(0, -1);
      const character = KEYS[code];
      if (character === undefined) continue;
      this.display.write(character);
      if (character === '\n') {
        this.#run(this.#input, (text) => this.display.write(text));
        this.#input = '';
      } else this.#input += character;
    }
  }

  mouse(dx: number, dy: number, _wheel: number, buttons: number): void {
    this.#mouse = { x: this.#mouse.x + dx, y: this.#mouse.y + dy, buttons };
  }

  serialInput(port: number, bytes: Uint8Array): void {
    for (const byte of bytes) {
      const character = String.fromCharCode(byte);
      if (character === '\r') {
        this.#send(port, '\r\n');
        this.#run(this.#serialLine, (text) => this.#send(port, text.replaceAll('\n', '\r\n')));
        this.#serialLine = '';
      } else {
        this.#serialLine += character;
        this.#send(port, character);
      }
    }
  }

  statistics(): MachineStatistics {
    const running = this.state === 'running';
    const ms = performance.now() - this.#startedMs;
    return {
      instructions: Math.floor(ms * 1000),
      guestNs: Math.floor(ms * 1e6),
      mips: running ? 1 : 0,
      busy: running ? 0.01 : 0,
      exits: { 'port-io': { count: Math.floor(ms / 10), ms: 0 } },
      diskReadBytes: Math.floor(ms) * 16,
      diskWrittenBytes: 0,
      guestErrors: 0,
    };
  }

  stateHash(): string {
    return this.display.lines.join('\n').length.toString(16);
  }

  #boot(): void {
    this.#startedMs = performance.now();
    this.display.on = true;
    this.display.clear();
    this.#input = '';
    this.#print(`fake machine, ${this.#configuration.memoryMiB} MiB\n`);
    for (const store of this.#stores) this.#print(`disk of ${store.sizeBytes} bytes\n`);
    this.display.write('# ');
    this.#send(0, '# ');
    this.#debug.fire(new TextEncoder().encode('fake debug line\n'));
  }

  #run(command: string, print: (text: string) => void): void {
    const [name, ...words] = command.trim().split(' ');
    if (name === 'echo') print(`${words.join(' ')}\n`);
    else if (name === 'mouse') print(`mouse ${this.#mouse.x} ${this.#mouse.y} ${this.#mouse.buttons}\n`);
    else if (name === 'add') print(`sum ${words.reduce((sum, word) => sum + Number(word), 0)}\n`);
    else if (name === 'crash') process.kill(process.pid, 'SIGKILL');
    else if (name === 'poweroff') this.#enter('stopped', { kind: 'guest-power-off' });
    else if (name === 'exit') this.#enter('stopped', { kind: 'debug-exit', value: Number(words[0]) });
    else if (name === 'triple')
      this.#enter('halted', { kind: 'triple-fault', detail: '#GP while delivering #DF at CS:EIP 0008:00001234' });
    else if (name === 'complain') this.#errors.fire({ source: 'pit0', what: 'unknown mode', detail: 'mode=7' });
    else if (name !== undefined && name !== '') print(`${name}: not found\n`);
    if (this.state === 'running') print('# ');
  }

  #print(text: string): void {
    this.display.write(text);
    this.#send(0, text.replaceAll('\n', '\r\n'));
  }

  #send(port: number, text: string): void {
    this.#serial.fire({ port, bytes: new TextEncoder().encode(text) });
  }

  #enter(state: MachineState, reason: StopReason | null): void {
    this.state = state;
    this.stopReason = reason;
    this.#state.fire(state);
  }
}
