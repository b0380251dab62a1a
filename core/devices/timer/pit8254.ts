// 8254 programmable interval timer with port 61h (Intel 231164; PIIX3 3.5).
import type { Device, Line, ResetKind, Timer, Wiring } from '../../bus/device.ts';
import { nsOfTick, ticksAt } from '../../bus/guestTicks.ts';
import { bytePorts } from '../../bus/portMap.ts';
import { list, record, recordCodec, u8 } from '../../bus/savedState.ts';
import { CONTROL, PIT_HERTZ, PORT61, READ_BACK, REFRESH_TICKS } from './pit8254.registers.ts';
import {
  controlWord,
  latchCount,
  latchStatus,
  newPitChannel,
  nextRise,
  output,
  pitChannelShape,
  readCount,
  setGate,
  writeCount,
  type PitChannelState,
} from './pitChannel.ts';

export interface Pit8254State {
  channels: PitChannelState[];
  /** Written bits 3-0 of port 61h. */
  port61: number;
}

const shape = record<Pit8254State>({ channels: list(pitChannelShape, 3, 3), port61: u8 });

const powerOn = (): Pit8254State => ({
  channels: [newPitChannel(true), newPitChannel(true), newPitChannel(false)],
  port61: 0,
});

/** Shorter periods are skipped over in whole multiples: no guest can serve an interrupt every few hundred ns. */
const MIN_INTERRUPT_TICKS = 12;

export class Pit8254 implements Device<Pit8254State> {
  // wiring
  readonly id = 'pit0';
  readonly #wiring: Wiring;
  readonly #irq: Line;
  readonly #timer: Timer;

  // guest-visible state
  #r = powerOn();

  readonly state = recordCodec(1, shape, () => this.#r, (saved) => {
    this.#r = saved;
    this.#syncOutputs();
  });

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
    this.#irq = wiring.irq('irq');
    this.#timer = wiring.timer(() => this.#expire());
    wiring.ports(this.id, 0x40, 4, bytePorts(this));
    wiring.ports(`${this.id}.port61`, 0x61, 1, { read: () => this.#readPort61(), write: (_port, value) => this.#writePort61(value) });
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.#r = powerOn();
    this.#syncOutputs();
  }

  /** The speaker's tone in Hz, 0 when silent. */
  get speakerHertz(): number {
    const channel = this.#r.channels[2]!;
    const on = (this.#r.port61 & (PORT61.SPEAKER | PORT61.GATE2)) === (PORT61.SPEAKER | PORT61.GATE2);
    return on && channel.loaded && (channel.mode === 2 || channel.mode === 3) ? PIT_HERTZ / channel.period : 0;
  }

  read8(port: number): number {
    const channel = port & 3;
    if (channel === 3) return 0xff; // 8254 p.6: the control register cannot be read
    return readCount(this.#r.channels[channel]!, this.#tick());
  }

  write8(port: number, value: number): void {
    const channel = port & 3;
    if (channel === 3) {
      this.#writeControl(value);
      return;
    }
    if (writeCount(this.#r.channels[channel]!, value, this.#tick()) && channel === 0) this.#syncOutputs();
  }

  #writeControl(value: number): void {
    const tick = this.#tick();
    const select = value >> 6;
    if (select === CONTROL.READ_BACK) {
      for (let index = 0; index < 3; index++) {
        if (!(value & (2 << index))) continue;
        if (!(value & READ_BACK.NO_COUNT)) latchCount(this.#r.channels[index]!, tick);
        if (!(value & READ_BACK.NO_STATUS)) latchStatus(this.#r.channels[index]!, tick);
      }
      return;
    }
    const access = (value >> CONTROL.ACCESS_SHIFT) & 3;
    if (access === 0) {
      latchCount(this.#r.channels[select]!, tick);
      return;
    }
    controlWord(this.#r.channels[select]!, (value >> 1) & 7, access, (value & CONTROL.BCD) !== 0);
    if (select === 0) this.#syncOutputs();
  }

  #readPort61(): number {
    const tick = this.#tick();
    return (
      (this.#r.port61 & 0x0f) |
      (Math.floor(tick / REFRESH_TICKS) & 1 ? PORT61.REFRESH : 0) |
      (output(this.#r.channels[2]!, tick) ? PORT61.OUT2 : 0)
    );
  }

  #writePort61(value: number): void {
    this.#r.port61 = value & 0x0f;
    setGate(this.#r.channels[2]!, (value & PORT61.GATE2) !== 0, this.#tick());
  }

  #tick(): number {
    return ticksAt(this.#wiring.now(), PIT_HERTZ);
  }

  /** Channel 0's OUT rises: one edge for the interrupt controller, and the next period's deadline. */
  #expire(): void {
    const channel = this.#r.channels[0]!;
    if (channel.mode !== 0) this.#irq.set(false);
    this.#irq.set(true);
    this.#arm();
  }

  /** Deadlines come from the tick at which the count was loaded, so that they never drift. */
  #arm(): void {
    const tick = this.#tick();
    const channel = this.#r.channels[0]!;
    let rise = nextRise(channel, tick);
    if (rise < 0) {
      this.#timer.cancel();
      return;
    }
    if (rise - tick < MIN_INTERRUPT_TICKS && channel.period < MIN_INTERRUPT_TICKS && (channel.mode === 2 || channel.mode === 3))
      rise += Math.ceil(MIN_INTERRUPT_TICKS / channel.period) * channel.period;
    this.#timer.armAt(nsOfTick(rise, PIT_HERTZ));
  }

  /** Only mode 0 holds IRQ low for long; the one-tick and half-period lows of the others become a pulse at their end. */
  #syncOutputs(): void {
    const channel = this.#r.channels[0]!;
    this.#irq.set(channel.mode !== 0 || output(channel, this.#tick()));
    this.#arm();
  }
}
