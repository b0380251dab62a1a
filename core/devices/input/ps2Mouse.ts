// PS/2 mouse with the IntelliMouse wheel (IBM PS/2 Hardware Interface Technical Reference; Microsoft IntelliMouse note).
import type { Device, ResetKind } from '../../bus/device.ts';
import { flag, integer, list, oneOf, record, recordCodec, u8 } from '../../bus/savedState.ts';
import type { Ps2Port } from './ps2Port.ts';

interface Motion {
  dx: number;
  dy: number;
  wheel: number;
  buttons: number;
}

export interface Ps2MouseState {
  reporting: boolean;
  remote: boolean;
  wrap: boolean;
  scaling: boolean;
  resolution: number;
  rate: number;
  /** The last three sample rates: 200, 100, 80 turns the wheel on. */
  knock: number[];
  type: 0 | 3;
  command: number;
  buttons: number;
  answers: number[];
  /** Bytes of the packet being sent. */
  packet: number[];
  /** Motion not yet sent; entries differ in their buttons, so that no click is lost. */
  motion: Motion[];
}

const MOTION_LIMIT = 64;
const ANSWER_LIMIT = 16;
const FAR = 1 << 16;

const motionShape = record<Motion>({ dx: integer(-FAR, FAR), dy: integer(-FAR, FAR), wheel: integer(-FAR, FAR), buttons: integer(0, 7) });

const shape = record<Ps2MouseState>({
  reporting: flag,
  remote: flag,
  wrap: flag,
  scaling: flag,
  resolution: u8,
  rate: u8,
  knock: list(u8, 3, 3),
  type: oneOf(0, 3),
  command: u8,
  buttons: integer(0, 7),
  answers: list(u8, ANSWER_LIMIT),
  packet: list(u8, 4),
  motion: list(motionShape, MOTION_LIMIT),
});

const COMMAND = {
  SCALING_OFF: 0xe6,
  SCALING_ON: 0xe7,
  RESOLUTION: 0xe8,
  STATUS: 0xe9,
  STREAM: 0xea,
  READ: 0xeb,
  WRAP_OFF: 0xec,
  WRAP_ON: 0xee,
  REMOTE: 0xf0,
  IDENTIFY: 0xf2,
  RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

const ACK = 0xfa;
const NAK = 0xfe;

const defaults = (): Ps2MouseState => ({
  reporting: false,
  remote: false,
  wrap: false,
  scaling: false,
  resolution: 2,
  rate: 100,
  knock: [0, 0, 0],
  type: 0,
  command: 0,
  buttons: 0,
  answers: [],
  packet: [],
  motion: [],
});

const clamp = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, Math.trunc(value) || 0));

export class Ps2Mouse implements Device<Ps2MouseState>, Ps2Port {
  readonly id = 'mouse';
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

  /** Whether the guest listens, so that capturing the host's pointer makes sense. */
  get listening(): boolean {
    return this.#r.reporting || this.#r.remote;
  }

  /** Counts to the right and down, wheel towards the person, buttons as bit 0 left, 1 right, 2 middle. */
  input(dx: number, dy: number, wheel: number, buttons: number): void {
    const r = this.#r;
    if (!this.listening) return;
    const pressed = buttons & 7;
    const last = r.motion.at(-1);
    if (last && (last.buttons === pressed || r.motion.length >= MOTION_LIMIT)) {
      last.dx = clamp(last.dx + dx, FAR);
      last.dy = clamp(last.dy + dy, FAR);
      last.wheel = clamp(last.wheel + wheel, FAR);
      last.buttons = pressed;
    } else if (dx !== 0 || dy !== 0 || wheel !== 0 || pressed !== r.buttons || last)
      r.motion.push({ dx: clamp(dx, FAR), dy: clamp(dy, FAR), wheel: clamp(wheel, FAR), buttons: pressed });
    this.onWaiting();
  }

  get waiting(): 'none' | 'answer' | 'event' {
    const r = this.#r;
    if (r.answers.length > 0) return 'answer';
    if (r.packet.length > 0) return 'event';
    return r.motion.length > 0 && r.reporting && !r.remote && r.command === 0 ? 'event' : 'none';
  }

  take(): number {
    const r = this.#r;
    if (r.answers.length > 0) return r.answers.shift()!;
    if (r.packet.length === 0) r.packet = this.#nextPacket();
    return r.packet.shift()!;
  }

  write(value: number): void {
    const r = this.#r;
    r.packet.length = 0;
    if (r.wrap && value !== COMMAND.RESET && value !== COMMAND.WRAP_OFF) this.#answer(value);
    else if (r.command !== 0) {
      const command = r.command;
      r.command = 0;
      this.#parameter(command, value);
    } else this.#command(value);
    this.onWaiting();
  }

  #answer(...bytes: number[]): void {
    for (const byte of bytes) if (this.#r.answers.length < ANSWER_LIMIT) this.#r.answers.push(byte);
  }

  #command(value: number): void {
    const r = this.#r;
    switch (value) {
      case COMMAND.RESOLUTION:
      case COMMAND.RATE:
        r.command = value;
        break;
      case COMMAND.SCALING_OFF:
      case COMMAND.SCALING_ON:
        r.scaling = value === COMMAND.SCALING_ON;
        break;
      case COMMAND.STATUS:
        return this.#answer(ACK, this.#status(), r.resolution, r.rate);
      case COMMAND.STREAM:
      case COMMAND.REMOTE:
        r.remote = value === COMMAND.REMOTE;
        break;
      case COMMAND.READ:
        return this.#answer(ACK, ...this.#nextPacket());
      case COMMAND.WRAP_OFF:
      case COMMAND.WRAP_ON:
        r.wrap = value === COMMAND.WRAP_ON;
        break;
      case COMMAND.IDENTIFY:
        return this.#answer(ACK, r.type);
      case COMMAND.ENABLE:
      case COMMAND.DISABLE:
        r.reporting = value === COMMAND.ENABLE;
        r.motion.length = 0;
        break;
      case COMMAND.DEFAULTS:
        this.#r = { ...defaults(), type: r.type, answers: r.answers };
        break;
      case COMMAND.RESEND:
        break;
      case COMMAND.RESET:
        this.#r = defaults();
        return this.#answer(ACK, 0xaa, 0x00);
      default:
        return this.#answer(NAK);
    }
    this.#answer(ACK);
  }

  #parameter(command: number, value: number): void {
    const r = this.#r;
    if (command === COMMAND.RESOLUTION) r.resolution = value & 3;
    else {
      r.rate = value;
      r.knock = [r.knock[1]!, r.knock[2]!, value];
      if (r.knock[0] === 200 && r.knock[1] === 100 && r.knock[2] === 80) r.type = 3;
    }
    this.#answer(ACK);
  }

  #status(): number {
    const r = this.#r;
    return (
      (r.remote ? 0x40 : 0) |
      (r.reporting ? 0x20 : 0) |
      (r.scaling ? 0x10 : 0) |
      (r.buttons & 1 ? 4 : 0) |
      (r.buttons & 4 ? 2 : 0) |
      (r.buttons & 2 ? 1 : 0)
    );
  }

  /** Takes what fits into one packet from the oldest motion: 9-bit deltas, up positive, and the wheel. */
  #nextPacket(): number[] {
    const r = this.#r;
    const motion = r.motion[0] ?? { dx: 0, dy: 0, wheel: 0, buttons: r.buttons };
    const dx = clamp(motion.dx, 255);
    const dy = clamp(-motion.dy, 255);
    const wheel = r.type === 3 ? clamp(motion.wheel, 7) : clamp(motion.wheel, FAR);
    motion.dx -= dx;
    motion.dy += dy;
    motion.wheel -= wheel;
    if (motion.dx === 0 && motion.dy === 0 && motion.wheel === 0) r.motion.shift();
    r.buttons = motion.buttons;
    const flags = 0x08 | motion.buttons | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    return r.type === 3 ? [flags, dx & 0xff, dy & 0xff, wheel & 0xff] : [flags, dx & 0xff, dy & 0xff];
  }
}
