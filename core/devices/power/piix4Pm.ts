// PIIX4 power management: ACPI fixed registers, PM timer, power button, SMI command port (Intel 82371AB 7).
import type { Device, Line, Mapping, ResetKind, Timer, Wiring } from '../../bus/device.ts';
import { nsOfTick, ticksAt } from '../../bus/guestTicks.ts';
import { configurationBytes, PCI, PCI_COMMAND, PciConfiguration } from '../../bus/pciConfiguration.ts';
import { bytePorts, type AccessSize } from '../../bus/portMap.ts';
import { bytes, count, record, recordCodec, u8, u16 } from '../../bus/savedState.ts';
import { CONFIG, PM1_CNT, PM1_EN_MASK, PM1_STS, PM_IO_LENGTH, PM_TIMER_HERTZ, REG, SLP_TYP_SOFT_OFF, SMI_COMMAND } from './piix4Pm.registers.ts';

export interface Piix4PmState {
  config: Uint8Array;
  status: number;
  enable: number;
  control: number;
  gpeStatus: number;
  gpeEnable: number;
  /** APM ports B2h and B3h. */
  apmCommand: number;
  apmData: number;
  /** The rest of the I/O block, kept as written. */
  other: Uint8Array;
  /** PM timer tick up to which carries were looked for. */
  checkedTick: number;
}

const shape = record<Piix4PmState>({
  config: configurationBytes,
  status: u16,
  enable: u16,
  control: u16,
  gpeStatus: u16,
  gpeEnable: u16,
  apmCommand: u8,
  apmData: u8,
  other: bytes(PM_IO_LENGTH),
  checkedTick: count,
});

/** TMR_STS is set whenever bit 23 of the timer changes (ACPI 4.7.3.1.1). */
const CARRY_TICKS = 2 ** 23;

export class Piix4Pm implements Device<Piix4PmState> {
  // wiring
  readonly id = 'pm0';
  readonly pci: PciConfiguration;
  readonly #wiring: Wiring;
  readonly #sci: Line;
  readonly #timer: Timer;
  readonly #onPowerOff: () => void;
  #mapping: Mapping | null = null;
  #mappedBase = 0;

  // guest-visible state, with the configuration space in `pci`
  #r = this.#powerOn();

  readonly state = recordCodec(
    1,
    shape,
    () => {
      this.#look();
      return { ...this.#r, config: this.pci.bytes };
    },
    (saved) => {
      const { config, ...rest } = saved;
      this.pci.restore(config);
      this.#r = rest;
      this.#map();
      this.#syncOutputs();
    },
  );

  constructor(wiring: Wiring, options: { device: number; function: number; onPowerOff: () => void }) {
    this.#wiring = wiring;
    this.#sci = wiring.irq('sci');
    this.#timer = wiring.timer(() => this.#syncOutputs());
    this.#onPowerOff = options.onPowerOff;
    this.pci = new PciConfiguration(
      { ...options, vendorId: 0x8086, deviceId: 0x7113, revision: 3, classCode: 0x068000, command: PCI_COMMAND.IO },
      () => this.#map(),
    );
    this.pci.define(CONFIG.PMBASE, 4, 0x00000001, 0x0000ffc0);
    this.pci.define(PCI.INTERRUPT_PIN, 1, 1);
    this.pci.define(CONFIG.PMREGMISC, 1, 0, 0x01);
    this.pci.define(CONFIG.SMBBASE, 4, 0x00000001, 0x0000fff0);
    this.pci.define(CONFIG.SMBHSTCFG, 1, 0, 0x0f);
    // Device resources and activity registers that firmware programs and nothing here depends on (82371AB 7.1).
    for (let register = 0x44; register < 0x80; register++) this.pci.define(register, 1, 0, 0xff);
    // DEVACTB, APMC_EN (82371AB 7.1.10): system management mode, which is not there, counts as set up.
    this.pci.define(0x5b, 1, 0x02, 0xff);
    const apm = bytePorts({
      read8: (port) => (port === 0xb2 ? this.#r.apmCommand : this.#r.apmData),
      write8: (port, value) => this.#writeApm(port, value),
    });
    wiring.ports(`${this.id}.apm`, 0xb2, 2, apm);
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.pci.reset();
    this.#r = this.#powerOn();
    this.#r.checkedTick = this.#tick();
    this.#map();
    this.#syncOutputs();
  }

  /** Base of the I/O block, 0 while it is not decoded. */
  get base(): number {
    return this.#mappedBase;
  }

  /** A person pressed the power button: the guest decides what follows. */
  powerButton(): void {
    this.#r.status |= PM1_STS.PWRBTN;
    this.#syncOutputs();
  }

  #powerOn(): Omit<Piix4PmState, 'config'> {
    return {
      status: 0,
      enable: 0,
      control: 0,
      gpeStatus: 0,
      gpeEnable: 0,
      apmCommand: 0,
      apmData: 0,
      other: new Uint8Array(PM_IO_LENGTH),
      checkedTick: 0,
    };
  }

  /** The I/O block is decoded while PMREGMISC bit 0 is set (82371AB 7.1.15). */
  #map(): void {
    const base = this.pci.bytes[CONFIG.PMREGMISC]! & 1 ? this.pci.get16(CONFIG.PMBASE) & 0xffc0 : 0;
    if (base === this.#mappedBase) return;
    this.#mapping?.unmap();
    this.#mapping = null;
    this.#mappedBase = base;
    if (base === 0) return;
    this.#mapping = this.#wiring.ports(`${this.id}.io`, base, PM_IO_LENGTH, {
      read: (port, size) => this.#read(port - base, size),
      write: (port, value, size) => this.#write(port - base, value, size),
    });
  }

  #read(offset: number, size: AccessSize): number {
    if (offset === REG.PM_TMR && size === 4) return this.#tick() % 2 ** 24;
    this.#look();
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + this.#read8((offset + index) & 63);
    return value;
  }

  #read8(offset: number): number {
    const r = this.#r;
    const high = offset & 1 ? 8 : 0;
    switch (offset & ~1) {
      case REG.PM1_STS:
        return (r.status >> high) & 0xff;
      case REG.PM1_EN:
        return (r.enable >> high) & 0xff;
      case REG.PM1_CNT:
        return (r.control >> high) & 0xff;
      case REG.GPE_STS:
        return (r.gpeStatus >> high) & 0xff;
      case REG.GPE_EN:
        return (r.gpeEnable >> high) & 0xff;
      case REG.PM_TMR:
      case REG.PM_TMR + 2:
        return Math.floor((this.#tick() % 2 ** 24) / 2 ** (8 * (offset & 3))) & 0xff;
      default:
        return r.other[offset]!;
    }
  }

  #write(offset: number, value: number, size: AccessSize): void {
    this.#look();
    for (let index = 0; index < size; index++) this.#write8((offset + index) & 63, (value >>> (8 * index)) & 0xff);
    this.#syncOutputs();
  }

  #write8(offset: number, value: number): void {
    const r = this.#r;
    const shift = offset & 1 ? 8 : 0;
    const replace = (old: number): number => (old & ~(0xff << shift)) | (value << shift);
    switch (offset & ~1) {
      case REG.PM1_STS:
        r.status &= ~(value << shift);
        return;
      case REG.PM1_EN:
        r.enable = replace(r.enable) & PM1_EN_MASK;
        return;
      case REG.PM1_CNT:
        this.#writeControl(replace(r.control));
        return;
      case REG.GPE_STS:
        r.gpeStatus &= ~(value << shift);
        return;
      case REG.GPE_EN:
        r.gpeEnable = replace(r.gpeEnable);
        return;
      case REG.PM_TMR:
      case REG.PM_TMR + 2:
        return; // read-only
      default:
        r.other[offset] = value;
    }
  }

  #writeControl(value: number): void {
    this.#r.control = value & (PM1_CNT.SCI_EN | PM1_CNT.BM_RLD | PM1_CNT.SLP_TYP); // SLP_EN and GBL_RLS read as zero
    if (!(value & PM1_CNT.SLP_EN)) return;
    const type = (value & PM1_CNT.SLP_TYP) >> PM1_CNT.SLP_TYP_SHIFT;
    if (type === SLP_TYP_SOFT_OFF) {
      this.#onPowerOff();
      return;
    }
    // No sleeping state is announced; waking at once is the only answer that leaves the guest alive.
    this.#wiring.guestError('sleep type not supported, woken at once', { type });
    this.#r.status |= PM1_STS.WAK;
  }

  /** What an SMI handler would do: hand the fixed registers to the operating system and back. */
  #writeApm(port: number, value: number): void {
    if (port !== 0xb2) {
      this.#r.apmData = value;
      return;
    }
    this.#r.apmCommand = value;
    if (value === SMI_COMMAND.ACPI_ENABLE) this.#r.control |= PM1_CNT.SCI_EN;
    else if (value === SMI_COMMAND.ACPI_DISABLE) this.#r.control &= ~PM1_CNT.SCI_EN;
    this.#syncOutputs();
  }

  #tick(): number {
    return ticksAt(this.#wiring.now(), PM_TIMER_HERTZ);
  }

  #look(): void {
    const tick = this.#tick();
    if (Math.floor(tick / CARRY_TICKS) > Math.floor(this.#r.checkedTick / CARRY_TICKS)) this.#r.status |= PM1_STS.TMR;
    this.#r.checkedTick = tick;
  }

  #syncOutputs(): void {
    this.#look();
    const r = this.#r;
    const asserted = (r.control & PM1_CNT.SCI_EN) !== 0 && ((r.status & r.enable) !== 0 || (r.gpeStatus & r.gpeEnable) !== 0);
    this.#sci.set(asserted);
    if (r.enable & PM1_STS.TMR && !(r.status & PM1_STS.TMR))
      this.#timer.armAt(nsOfTick((Math.floor(r.checkedTick / CARRY_TICKS) + 1) * CARRY_TICKS, PM_TIMER_HERTZ));
    else this.#timer.cancel();
  }
}
