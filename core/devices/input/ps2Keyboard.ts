// PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, 101/102-key keyboards).
import type { Device, ResetKind } from '../../bus/device.ts';
import { flag, integer, list, oneOf, record, recordCodec, u8 } from '../../bus/savedState.ts';
import type { Ps2Port } from './ps2Port.ts';
import { set1ToSet2 } from './scanCodes.ts';

export interface Ps2KeyboardState {
  scanning: boolean;
  set: 1 | 2;
  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  leds: number;
  typematic: number;
  /** Command that waits for its parameter; 0: none. */
  command: number;
  lastSent: number;
  answers: number[];
  keys: number[];
}

/** A long paste fits; beyond that whole keystrokes are refused. */
const KEY_LIMIT = 16384;
const ANSWER_LIMIT = 16;

const shape = record<Ps2KeyboardState>({
  scanning: flag,
  set: oneOf(1, 2),
  leds: integer(0, 7),
  typematic: u8,
  command: u8,
  lastSent: u8,
  answers: list(u8, ANSWER_LIMIT),
  keys: list(u8, KEY_LIMIT),
});

const COMMAND = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCAN_SET: 0xf0,
  IDENTIFY: 0xf2,
  TYPEMATIC: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

const ACK = 0xfa;
const NAK = 0xfe;
const TEST_PASSED = 0xaa;

const defaults = (): Ps2KeyboardState => ({
  scanning: true,
  set: 2,
  leds: 0,
  typematic: 0x2b,
  command: 0,
  lastSent: 0,
  answers: [],
  keys: [],
});

export class Ps2Keyboard implements Device<Ps2KeyboardState>, Ps2Port {
  readonly id = 'keyboard';
  onWaiting: () => void = () => {};

  // guest-visible state
  #r = defaults();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.onWaiting();
  });

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.#r = defaults();
  }

  get leds(): number {
    return this.#r.leds;
  }

  /** Keys as bytes of scan-code set 1, whole keystrokes; false if they did not fit or the guest is not listening. */
  input(set1: readonly number[]): boolean {
    const r = this.#r;
    if (!r.scanning) return false;
    const codes: number[] = [];
    for (const byte of set1) {
      if (r.set === 1) codes.push(byte & 0xff);
      else set1ToSet2(byte & 0xff, codes);
    }
    if (r.keys.length + codes.length > KEY_LIMIT) return false;
    r.keys.push(...codes);
    this.onWaiting();
    return true;
  }

  get waiting(): 'none' | 'answer' | 'event' {
    if (this.#r.answers.length > 0) return 'answer';
    return this.#r.keys.length > 0 && this.#r.command === 0 ? 'event' : 'none';
  }

  take(): number {
    const r = this.#r;
    const byte = r.answers.length > 0 ? r.answers.shift()! : r.keys.shift()!;
    r.lastSent = byte;
    return byte;
  }

  write(value: number): void {
    const r = this.#r;
    const command = r.command;
    if (command !== 0 && value < 0x80) {
      r.command = 0;
      this.#parameter(command, value);
    } else {
      r.command = 0;
      this.#command(value);
    }
    this.onWaiting();
  }

  #answer(...bytes: number[]): void {
    for (const byte of bytes) if (this.#r.answers.length < ANSWER_LIMIT) this.#r.answers.push(byte);
  }

  #command(value: number): void {
    const r = this.#r;
    switch (value) {
      case COMMAND.SET_LEDS:
      case COMMAND.SCAN_SET:
      case COMMAND.TYPEMATIC:
        r.command = value;
        return this.#answer(ACK);
      case COMMAND.ECHO:
        return this.#answer(COMMAND.ECHO);
      case COMMAND.IDENTIFY:
        return this.#answer(ACK, 0xab, 0x83);
      case COMMAND.ENABLE:
        r.scanning = true;
        r.keys.length = 0;
        return this.#answer(ACK);
      case COMMAND.DISABLE:
      case COMMAND.DEFAULTS:
        this.#r = { ...defaults(), scanning: value === COMMAND.DEFAULTS, leds: r.leds, answers: r.answers };
        return this.#answer(ACK);
      case COMMAND.RESEND:
        return this.#answer(r.lastSent);
      case COMMAND.RESET:
        this.#r = defaults();
        return this.#answer(ACK, TEST_PASSED);
      default:
        // F7h-FDh set key types, which only exist in set 3.
        return this.#answer(value >= 0xf7 && value <= 0xfd ? ACK : NAK);
    }
  }

  #parameter(command: number, value: number): void {
    const r = this.#r;
    if (command === COMMAND.SET_LEDS) r.leds = value & 7;
    else if (command === COMMAND.TYPEMATIC) r.typematic = value;
    else if (value === 0) return this.#answer(ACK, r.set);
    else if (value === 1 || value === 2) r.set = value;
    else return this.#answer(NAK); // no set 3
    this.#answer(ACK);
  }
}
