// 8042 keyboard and auxiliary device controller (IBM PS/2 Hardware Interface Technical Reference).
import type { Device, Line, ResetKind, Timer, Wiring } from '../../bus/device.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { bytes, count, flag, integer, list, oneOf, record, recordCodec, u8 } from '../../bus/savedState.ts';
import { BYTE_GAP_NS, CCB, COMMAND, INPUT_PORT, OUTPUT, SELF_TEST_PASSED, STATUS, WITH_DATA } from './i8042.registers.ts';
import type { Ps2Port } from './ps2Port.ts';
import { BREAK_SET2, set2ToSet1 } from './scanCodes.ts';

export interface I8042State {
  /** Location 0 is the command byte. */
  ram: Uint8Array;
  output: number;
  /** Where the byte in the output buffer came from. */
  source: 'empty' | 'keyboard' | 'aux';
  /** Answers of the controller itself, bit 8 set for the auxiliary side. */
  answers: number[];
  outputPort: number;
  /** Command that waits for its data; 0: none. */
  command: number;
  lastWriteWasCommand: boolean;
  /** Translation saw F0h. */
  breakPending: boolean;
  /** Keys and motion pause until then. */
  notBeforeNs: number;
}

const ANSWER_LIMIT = 16;
const AUX_ANSWER = 0x100;

const shape = record<I8042State>({
  ram: bytes(32),
  output: u8,
  source: oneOf('empty', 'keyboard', 'aux'),
  answers: list(integer(0, AUX_ANSWER | 0xff), ANSWER_LIMIT),
  outputPort: u8,
  command: u8,
  lastWriteWasCommand: flag,
  breakPending: flag,
  notBeforeNs: count,
});

const powerOn = (): I8042State => {
  const ram = new Uint8Array(32);
  ram[0] = CCB.TRANSLATE | CCB.SYSTEM | CCB.KEY_INT;
  return {
    ram,
    output: 0,
    source: 'empty',
    answers: [],
    outputPort: OUTPUT.ALWAYS | OUTPUT.A20 | OUTPUT.RESET,
    command: 0,
    lastWriteWasCommand: false,
    breakPending: false,
    notBeforeNs: 0,
  };
};

export interface I8042Options {
  readonly keyboard: Ps2Port;
  readonly mouse: Ps2Port;
  readonly onReset: () => void;
}

export class I8042 implements Device<I8042State> {
  // wiring
  readonly id = 'i8042';
  readonly #wiring: Wiring;
  readonly #keyIrq: Line;
  readonly #auxIrq: Line;
  readonly #a20: Line;
  readonly #timer: Timer;
  readonly #keyboard: Ps2Port;
  readonly #mouse: Ps2Port;
  readonly #onReset: () => void;

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.#syncOutputs();
    this.#timer.armAt(this.#wiring.now()); // what waits goes on once all devices are restored
  });

  constructor(wiring: Wiring, options: I8042Options) {
    this.#wiring = wiring;
    this.#keyIrq = wiring.irq('keyboard');
    this.#auxIrq = wiring.irq('mouse');
    this.#a20 = wiring.irq('a20');
    this.#timer = wiring.timer(() => this.#refill());
    this.#keyboard = options.keyboard;
    this.#mouse = options.mouse;
    this.#onReset = options.onReset;
    options.keyboard.onWaiting = () => this.#refill();
    options.mouse.onWaiting = () => this.#refill();
    wiring.ports(`${this.id}.data`, 0x60, 1, bytePorts(this));
    wiring.ports(`${this.id}.command`, 0x64, 1, bytePorts(this));
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    this.#timer.cancel();
    this.#syncOutputs();
  }

  read8(port: number): number {
    const r = this.#r;
    if (port & 4) return this.#status();
    const value = r.output;
    if (r.source !== 'empty') {
      r.source = 'empty';
      r.notBeforeNs = this.#wiring.now() + BYTE_GAP_NS;
      this.#syncOutputs();
      this.#refill();
    }
    return value;
  }

  write8(port: number, value: number): void {
    const r = this.#r;
    r.lastWriteWasCommand = (port & 4) !== 0;
    if (port & 4) this.#command(value);
    else if (r.command !== 0) {
      const command = r.command;
      r.command = 0;
      this.#commandData(command, value);
    } else {
      r.ram[0]! &= ~CCB.KEY_OFF; // writing to the keyboard opens its clock
      this.#keyboard.write(value);
    }
    this.#refill();
  }

  #status(): number {
    const r = this.#r;
    return (
      (r.source !== 'empty' ? STATUS.OBF : 0) |
      (r.source === 'aux' ? STATUS.AUX : 0) |
      (r.ram[0]! & CCB.SYSTEM ? STATUS.SYSTEM : 0) |
      (r.lastWriteWasCommand ? STATUS.COMMAND : 0) |
      STATUS.UNLOCKED
    );
  }

  #answer(value: number): void {
    if (this.#r.answers.length < ANSWER_LIMIT) this.#r.answers.push(value);
  }

  #command(value: number): void {
    const r = this.#r;
    r.command = 0;
    if (WITH_DATA.has(value) || (value & 0xe0) === COMMAND.WRITE_RAM) {
      r.command = value;
      return;
    }
    if ((value & 0xe0) === COMMAND.READ_RAM) return this.#answer(r.ram[value & 0x1f]!);
    if (value >= COMMAND.PULSE) {
      if (!(value & OUTPUT.RESET)) this.#onReset(); // bits 3-0 low: pulse those output lines
      return;
    }
    switch (value) {
      case COMMAND.AUX_DISABLE:
        r.ram[0]! |= CCB.AUX_OFF;
        return;
      case COMMAND.AUX_ENABLE:
        r.ram[0]! &= ~CCB.AUX_OFF;
        return;
      case COMMAND.AUX_TEST:
      case COMMAND.KEY_TEST:
        return this.#answer(0);
      case COMMAND.SELF_TEST:
        r.ram[0]! |= CCB.SYSTEM;
        return this.#answer(SELF_TEST_PASSED);
      case COMMAND.KEY_DISABLE:
        r.ram[0]! |= CCB.KEY_OFF;
        return;
      case COMMAND.KEY_ENABLE:
        r.ram[0]! &= ~CCB.KEY_OFF;
        return;
      case COMMAND.READ_INPUT:
        return this.#answer(INPUT_PORT);
      case COMMAND.READ_OUTPUT:
        return this.#answer(
          r.outputPort | (r.source === 'keyboard' ? OUTPUT.KEY_INT : 0) | (r.source === 'aux' ? OUTPUT.AUX_INT : 0),
        );
      case COMMAND.A20_OFF:
      case COMMAND.A20_ON:
        return this.#writeOutputPort(value === COMMAND.A20_ON ? r.outputPort | OUTPUT.A20 : r.outputPort & ~OUTPUT.A20);
      default:
        this.#wiring.guestError('unknown command', { command: value });
    }
  }

  #commandData(command: number, value: number): void {
    switch (command) {
      case COMMAND.WRITE_OUTPUT:
        return this.#writeOutputPort(value);
      case COMMAND.WRITE_KEY_BUFFER:
        return this.#answer(value);
      case COMMAND.WRITE_AUX_BUFFER:
        return this.#answer(AUX_ANSWER | value);
      case COMMAND.WRITE_AUX:
        this.#r.ram[0]! &= ~CCB.AUX_OFF;
        this.#mouse.write(value);
        return;
      default:
        this.#r.ram[command & 0x1f] = value;
        this.#syncOutputs();
    }
  }

  #writeOutputPort(value: number): void {
    this.#r.outputPort = (value & ~(OUTPUT.KEY_INT | OUTPUT.AUX_INT)) | OUTPUT.ALWAYS | OUTPUT.RESET;
    this.#a20.set((value & OUTPUT.A20) !== 0);
    if (!(value & OUTPUT.RESET)) this.#onReset();
  }

  /** Puts the next byte into the empty output buffer: own answers first, then keyboard, then mouse. */
  #refill(): void {
    const r = this.#r;
    while (r.source === 'empty') {
      if (r.answers.length > 0) {
        const answer = r.answers.shift()!;
        this.#offer(answer & 0xff, answer & AUX_ANSWER ? 'aux' : 'keyboard');
        return;
      }
      const keyboard = r.ram[0]! & CCB.KEY_OFF ? 'none' : this.#keyboard.waiting;
      const mouse = r.ram[0]! & CCB.AUX_OFF ? 'none' : this.#mouse.waiting;
      if (keyboard === 'none' && mouse === 'none') return;
      const answers = keyboard === 'answer' || mouse === 'answer';
      if (!answers && this.#wiring.now() < r.notBeforeNs) {
        this.#timer.armAt(r.notBeforeNs);
        return;
      }
      if (keyboard === 'answer' || (keyboard === 'event' && mouse !== 'answer')) this.#takeKeyboard();
      else this.#offer(this.#mouse.take(), 'aux');
    }
  }

  #takeKeyboard(): void {
    const r = this.#r;
    const byte = this.#keyboard.take();
    if (!(r.ram[0]! & CCB.TRANSLATE)) this.#offer(byte, 'keyboard');
    else if (byte === BREAK_SET2) r.breakPending = true;
    else {
      const code = set2ToSet1(byte);
      this.#offer(r.breakPending ? code | 0x80 : code, 'keyboard');
      r.breakPending = false;
    }
  }

  #offer(value: number, source: 'keyboard' | 'aux'): void {
    this.#r.output = value;
    this.#r.source = source;
    this.#syncOutputs();
  }

  #syncOutputs(): void {
    const r = this.#r;
    this.#keyIrq.set(r.source === 'keyboard' && (r.ram[0]! & CCB.KEY_INT) !== 0);
    this.#auxIrq.set(r.source === 'aux' && (r.ram[0]! & CCB.AUX_INT) !== 0);
  }
}
