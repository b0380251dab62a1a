// The i440FX/PIIX board: the only place that names devices, IRQ numbers and addresses.
import type { Device, Line, ResetKind, Wiring } from '../bus/device.ts';
import { MmioMap, type MmioRange } from '../bus/mmioMap.ts';
import { PortMap, type AccessSize } from '../bus/portMap.ts';
import { GatedLine, SharedLine, unconnected } from '../bus/sharedLine.ts';
import { Dma8237 } from '../devices/dma/dma8237.ts';
import { DmaPages } from '../devices/dma/dmaPages.ts';
import { FwCfg, type FwCfgFile } from '../devices/firmware/fwCfg.ts';
import { I8042 } from '../devices/input/i8042.ts';
import { Ps2Keyboard } from '../devices/input/ps2Keyboard.ts';
import { Ps2Mouse } from '../devices/input/ps2Mouse.ts';
import { CoprocessorError } from '../devices/interrupt/coprocessorError.ts';
import { IoApic } from '../devices/interrupt/ioApic.ts';
import { LocalApic } from '../devices/interrupt/localApic.ts';
import { Pic8259 } from '../devices/interrupt/pic8259.ts';
import { attachDebugConsole, attachDebugExit } from '../devices/power/debugPorts.ts';
import { Piix4Pm } from '../devices/power/piix4Pm.ts';
import { Port92 } from '../devices/power/port92.ts';
import { ResetControl } from '../devices/power/resetControl.ts';
import { Uart16550 } from '../devices/serial/uart16550.ts';
import { AtaDisk } from '../devices/storage/ataDisk.ts';
import { AtapiCdrom } from '../devices/storage/atapiCdrom.ts';
import { CfiFlash, type CfiFlashOptions } from '../devices/storage/cfiFlash.ts';
import { IdeChannel, PiixIde } from '../devices/storage/piixIde.ts';
import { Hpet } from '../devices/timer/hpet.ts';
import { KvmClock } from '../devices/timer/kvmClock.ts';
import { Pit8254 } from '../devices/timer/pit8254.ts';
import { RtcCmos } from '../devices/timer/rtcCmos.ts';
import { StdVga, type StdVgaOptions } from '../devices/video/stdVga.ts';
import { Vga } from '../devices/video/vga.ts';
import { hpetBase, ioApicBase, pirqInput, timerInput } from '../firmware/board.ts';
import type { BlockStore } from '../host/blockStore.ts';
import type { DisplaySource } from '../host/display.ts';
import type { BoardHost } from './boardHost.ts';
import { I440fxHostBridge } from './i440fxHostBridge.ts';
import { PciHost } from './pciHost.ts';
import { Piix3Isa } from './piix3Isa.ts';
import { VgaPci } from './vgaPci.ts';

/** Where flash memory lies and who keeps it. */
export type FlashPlacement = Omit<CfiFlashOptions, 'id'>;

/** Linear display memory and who places it. */
export type DisplayMemory = Pick<StdVgaOptions, 'memory' | 'onPlacement' | 'onWritten'>;

export interface I440fxBoardOptions {
  readonly memoryBytes: number;
  /** Primary master and slave. */
  readonly disks: readonly BlockStore[];
  /** Medium of the CD-ROM drive, secondary master; null: an empty drive. */
  readonly cdrom: BlockStore | null;
  /** Port F4h ends the machine. */
  readonly debugExit: boolean;
  /** Local APIC, I/O APIC and HPET: for processors that have an APIC. */
  readonly apic: boolean;
  /** The local APIC's timer knows TSC deadlines. */
  readonly tscDeadline: boolean;
  /** KVM's paravirtual clock. */
  readonly kvmClock: boolean;
  /** Files for a foreign firmware, which then finds the board of QEMU; null: our own firmware needs none. */
  readonly firmwareFiles: ((board: { pmBase(): number }) => readonly FwCfgFile[]) | null;
  /** Flash memory for UEFI variables; null: none. */
  readonly flash: FlashPlacement | null;
  /** Makes the display QEMU's standard VGA; null: a plain VGA. */
  readonly displayMemory: DisplayMemory | null;
  /** Seconds since 1970 at guest time 0. */
  readonly rtcStart: number;
}

/** Subsystem of QEMU's host bridge. */
const QEMU_SUBSYSTEM = 0x11001af4;
const PIIX_DEVICE = 1;
const VGA_DEVICE = 2;

/** Inputs of the I/O APIC: the 8259s' INTR, IRQ0 instead of the cascade, PIRQA#-PIRQD#. */
const INPUT = { INTR: 0, TIMER: timerInput, PIRQ: pirqInput } as const;
const PIRQ_INPUTS = 0x0f0000;

const IRQ = { TIMER: 0, KEYBOARD: 1, CASCADE: 2, COM2: 3, COM1: 4, RTC: 8, SCI: 9, MOUSE: 12, COPROCESSOR: 13, IDE0: 14, IDE1: 15 } as const;

export class I440fxBoard {
  readonly devices: readonly Device[];
  readonly rtc: RtcCmos;
  readonly pit: Pit8254;
  readonly serial: readonly Uart16550[];
  readonly a20: Port92;
  readonly vga: Vga;
  /** What the monitor shows. */
  readonly display: DisplaySource;
  readonly keyboard = new Ps2Keyboard();
  readonly mouse = new Ps2Mouse();
  /** Primary master and slave, as far as there are. */
  readonly disks: readonly AtaDisk[];
  readonly cdrom: AtapiCdrom;

  readonly #host: BoardHost;
  readonly #ports: PortMap;
  readonly #mmio: MmioMap;
  readonly #master: Pic8259;
  readonly #slave: Pic8259;
  readonly #irqs: readonly SharedLine[];
  readonly #pm: Piix4Pm;
  readonly #lapic: LocalApic | null;
  readonly #ioApic: IoApic | null;
  readonly #kvmClock: KvmClock | null;
  /** The processor's FERR#. */
  readonly ferr: Line;
  /** The NMI pin: LINT1 of the local APIC. */
  readonly nmi: Line;
  #onMmioChange: () => void = () => {};

  constructor(host: BoardHost, options: I440fxBoardOptions) {
    this.#host = host;
    this.#ports = new PortMap((kind, port, size, value) => host.unclaimedAccess('port', kind, port, size, value));
    this.#mmio = new MmioMap(
      (kind, address, size, value) => host.unclaimedAccess('memory', kind, address, size, value),
      () => this.#onMmioChange(),
    );

    this.#lapic = options.apic ? this.#makeLapic(options.tscDeadline) : null;
    this.#ioApic = options.apic ? this.#makeIoApic() : null;
    this.nmi = this.#lapic?.lint1 ?? host.cpu.nmi;
    this.#master = new Pic8259(this.#wiring('pic0', { int: this.#intr() }), {
      id: 'pic0',
      base: 0x20,
      elcrPort: 0x4d0,
      elcrWritable: 0xf8,
      slaves: 1 << IRQ.CASCADE,
    });
    this.#slave = new Pic8259(this.#wiring('pic1', { int: this.#master.input(IRQ.CASCADE) }), {
      id: 'pic1',
      base: 0xa0,
      elcrPort: 0x4d1,
      elcrWritable: 0xde,
      slaves: 0,
    });
    this.#irqs = Array.from(
      { length: 16 },
      (_, irq) =>
        new SharedLine(irq === IRQ.CASCADE ? unconnected : this.#isaInput(irq)),
    );

    const pitIrq = new GatedLine(this.#irq(IRQ.TIMER)), rtcIrq = new GatedLine(this.#irq(IRQ.RTC));
    this.pit = new Pit8254(this.#wiring('pit0', { irq: pitIrq }));
    this.rtc = new RtcCmos(this.#wiring('rtc0', { irq: rtcIrq }), options.rtcStart);
    const hpet = options.apic ? this.#makeHpet([pitIrq, rtcIrq]) : null;
    this.#kvmClock = options.kvmClock ? new KvmClock(this.#wiring('kvmClock0'), host.cpu.timestampOffset, options.rtcStart) : null;
    this.a20 = new Port92(this.#wiring('port92', { a20: host.cpu.a20 }), () => host.cpu.reset('soft'));
    const coprocessor = new CoprocessorError(
      this.#wiring('coprocessorError', { irq: this.#irq(IRQ.COPROCESSOR), ignne: host.cpu.ignne }),
    );
    this.ferr = coprocessor.ferr;
    const i8042 = new I8042(
      this.#wiring('i8042', { keyboard: this.#irq(IRQ.KEYBOARD), mouse: this.#irq(IRQ.MOUSE), a20: this.a20.keyboardA20 }),
      { keyboard: this.keyboard, mouse: this.mouse, onReset: () => host.cpu.reset('soft') },
    );
    const dma = [
      new Dma8237(this.#wiring('dma0'), { id: 'dma0', base: 0x00, spacing: 1 }),
      new Dma8237(this.#wiring('dma1'), { id: 'dma1', base: 0xc0, spacing: 2 }),
      new DmaPages(this.#wiring('dmaPages'), (code) => host.postCode(code)),
    ];
    this.serial = [
      this.#uart('com1', 0x3f8, IRQ.COM1, 0),
      this.#uart('com2', 0x2f8, IRQ.COM2, 1),
    ];

    const resetControl = new ResetControl((kind) => host.cpu.reset(kind));
    const pciHost = new PciHost(this.#wiring('pciHost'), resetControl);
    const hostBridge = new I440fxHostBridge(
      (base, length, backing) => host.romMapping(base, length, backing),
      options.firmwareFiles ? QEMU_SUBSYSTEM : 0,
    );
    const isa = new Piix3Isa({
      device: PIIX_DEVICE,
      irqs: this.#irqs.map((line) => line.input()),
      pirqs: this.#ioApic ? [0, 1, 2, 3].map((pirq) => this.#ioApic!.input(INPUT.PIRQ + pirq)) : [],
    });
    this.#pm = new Piix4Pm(this.#wiring('pm0', { sci: this.#irq(IRQ.SCI) }), {
      device: PIIX_DEVICE,
      function: 3,
      onPowerOff: () => host.powerOff(),
    });
    const files = options.firmwareFiles?.({ pmBase: () => this.#pm.base });
    const foreign = files
      ? [new FwCfg(this.#wiring('fwCfg0'), { memoryBytes: options.memoryBytes, files })]
      : [];
    this.vga = new Vga(this.#wiring('vga'));
    const stdVga = options.displayMemory
      ? new StdVga(this.#wiring('stdvga0'), { device: VGA_DEVICE, vga: this.vga, ...options.displayMemory })
      : null;
    this.display = stdVga ?? this.vga;
    const vgaPci = stdVga ?? new VgaPci({ device: VGA_DEVICE });
    this.disks = options.disks.slice(0, 2).map((store, index) => {
      const id = `hd${index}`;
      return new AtaDisk(this.#wiring(id), { id, store, serial: `TRAPEZE-HD${index}` });
    });
    this.cdrom = new AtapiCdrom(this.#wiring('cd0'), { id: 'cd0', medium: options.cdrom, serial: 'TRAPEZE-CD0' });
    const ide0 = new IdeChannel(this.#wiring('ide0', { irq: this.#irq(IRQ.IDE0) }), {
      id: 'ide0',
      commandBase: 0x1f0,
      controlPort: 0x3f6,
      drives: [this.disks[0] ?? null, this.disks[1] ?? null],
    });
    const ide1 = new IdeChannel(this.#wiring('ide1', { irq: this.#irq(IRQ.IDE1) }), {
      id: 'ide1',
      commandBase: 0x170,
      controlPort: 0x376,
      drives: [this.cdrom, null],
    });
    const ide = new PiixIde(this.#wiring('ide'), { device: PIIX_DEVICE, function: 1, channels: [ide0, ide1] });
    for (const target of [hostBridge, isa, ide, this.#pm, vgaPci]) pciHost.attach(target.pci);

    attachDebugConsole(this.#wiring('debugConsole'), 0xe9, (byte) => host.debugOutput(byte));
    if (files) attachDebugConsole(this.#wiring('firmwareLog'), 0x402, (byte) => host.debugOutput(byte));
    if (options.debugExit) attachDebugExit(this.#wiring('debugExit'), (value) => host.debugExit(value));

    // Interrupt controllers come last: on restore they take back what other devices' outputs did to their inputs.
    this.devices = [
      this.a20,
      coprocessor,
      ...dma,
      resetControl,
      pciHost,
      hostBridge,
      isa,
      this.#pm,
      this.pit,
      this.rtc,
      ...this.serial,
      this.vga,
      vgaPci,
      i8042,
      this.keyboard,
      this.mouse,
      ide,
      ...this.disks,
      this.cdrom,
      ide0,
      ide1,
      ...foreign,
      ...(options.flash ? [new CfiFlash(this.#wiring('flash0'), { id: 'flash0', ...options.flash })] : []),
      ...(hpet ? [hpet] : []),
      ...(this.#kvmClock ? [this.#kvmClock] : []),
      this.#slave,
      this.#master,
      ...(this.#ioApic && this.#lapic ? [this.#ioApic, this.#lapic] : []),
    ];
  }

  ioRead(port: number, size: AccessSize): number {
    return this.#ports.read(port, size);
  }

  ioWrite(port: number, value: number, size: AccessSize): void {
    this.#ports.write(port, value, size);
  }

  mmioRead(address: number, size: AccessSize): number {
    return this.#mmio.read(address, size);
  }

  mmioWrite(address: number, value: number, size: AccessSize): void {
    this.#mmio.write(address, value, size);
  }

  /** Physical ranges that devices answer; `onMmioChange` tells when they changed. */
  mmioRanges(): MmioRange[] {
    return this.#mmio.ranges();
  }

  /** Who answers a port or an address, for people; null: nobody. */
  portOwner(port: number): string | null {
    return this.#ports.ownerOf(port);
  }
  mmioOwner(address: number): string | null {
    return this.#mmio.ownerOf(address);
  }
  mmioClaims(): readonly { readonly base: number; readonly length: number; readonly name: string }[] {
    return this.#mmio.claims();
  }

  onMmioChange(listener: () => void): void {
    this.#onMmioChange = listener;
  }

  /** Level of INTR. */
  get interruptPending(): boolean {
    return this.#lapic ? this.#lapic.interruptPending : this.#master.pending;
  }

  /** The INTA cycle: the vector for the CPU. */
  acknowledgeInterrupt(): number {
    return this.#lapic && !this.#lapic.takesExternal ? this.#lapic.acknowledge() : this.#acknowledgePic();
  }

  /** CR8. */
  get taskPriority(): number {
    return this.#lapic?.taskPriority ?? 0;
  }
  set taskPriority(value: number) {
    if (this.#lapic) this.#lapic.taskPriority = value;
  }

  /** Model-specific registers of the board's parts. */
  readMsr(index: number): readonly [number, number] | null {
    return this.#lapic?.readMsr(index) ?? this.#kvmClock?.readMsr(index) ?? null;
  }
  writeMsr(index: number, low: number, high: number): boolean {
    return (this.#lapic?.writeMsr(index, low, high) || this.#kvmClock?.writeMsr(index, low, high)) ?? false;
  }

  /** The time-stamp counter was written. */
  timestampChanged(): void {
    this.#lapic?.timestampChanged();
    this.#kvmClock?.timestampChanged();
  }

  /** A performance counter has overflowed. */
  performanceInterrupt(): void {
    this.#lapic?.performanceInterrupt();
  }

  /** The default IR7 when the request has gone (8259A p.18). */
  #acknowledgePic(): number {
    const requested = this.#master.pending;
    const input = this.#master.acknowledge();
    if (!requested || !this.#master.isCascade(input)) return this.#master.vectorBase + input;
    return this.#slave.vectorBase + this.#slave.acknowledge();
  }

  reset(kind: ResetKind): void {
    for (const device of this.devices) device.reset(kind);
  }

  /** Bytes that guests moved from and to media since power-on. */
  get diskBytes(): { read: number; written: number } {
    let read = this.cdrom.bytesRead;
    let written = 0;
    for (const disk of this.disks) {
      read += disk.bytesRead;
      written += disk.bytesWritten;
    }
    return { read, written };
  }

  powerButton(): void {
    this.#pm.powerButton();
  }

  #uart(id: string, base: number, irq: number, port: number): Uart16550 {
    return new Uart16550(this.#wiring(id, { irq: this.#irq(irq) }), {
      id,
      base,
      onOutput: (byte) => this.#host.serialOutput(port, byte),
    });
  }

  #makeLapic(tscDeadline: boolean): LocalApic {
    const { cpu } = this.#host;
    return new LocalApic(this.#wiring('lapic0', { intr: cpu.intr, nmi: cpu.nmi }), {
      onEoi: (vector) => this.#ioApic?.endOfInterrupt(vector),
      onInit: () => cpu.reset('soft'),
      timestampOffset: cpu.timestampOffset,
      tscDeadline,
    });
  }

  #makeIoApic(): IoApic {
    return new IoApic(this.#wiring('ioapic0'), {
      base: ioApicBase,
      restHigh: PIRQ_INPUTS,
      deliver: (message) => this.#lapic!.deliver(message),
      setExternalRequest: (level) => this.#lapic!.setExternalRequest(level),
    });
  }

  #makeHpet(replaced: readonly GatedLine[]): Hpet {
    const ioApic = this.#ioApic!;
    // Several timers may be routed to one input.
    const inputs = new Map<number, SharedLine>();
    const lines = new Map<string, Line>();
    const route = (timer: number, input: number): Line => {
      const key = `${timer} ${input}`;
      let shared = inputs.get(input);
      if (!shared) inputs.set(input, (shared = new SharedLine(ioApic.input(input))));
      let line = lines.get(key);
      if (!line) lines.set(key, (line = shared.input()));
      return line;
    };
    const pins = { pit: this.#irq(IRQ.TIMER), rtc: this.#irq(IRQ.RTC) };
    return new Hpet(this.#wiring('hpet0', pins), {
      base: hpetBase,
      onLegacy: (enabled) => replaced.forEach((line) => line.open(!enabled)),
      route,
    });
  }

  /** Where the 8259s' INTR leads. */
  #intr(): Line {
    if (!this.#lapic || !this.#ioApic) return this.#host.cpu.intr;
    return bothOf(this.#lapic.lint0, this.#ioApic.input(INPUT.INTR));
  }

  /** An ISA interrupt at its controllers. */
  #isaInput(irq: number): Line {
    const pic = irq < 8 ? this.#master.input(irq) : this.#slave.input(irq - 8);
    return this.#ioApic ? bothOf(pic, this.#ioApic.input(irq === IRQ.TIMER ? INPUT.TIMER : irq)) : pic;
  }

  #irq(number: number): Line {
    return this.#irqs[number]!.input();
  }

  /** All that device `id` may touch; `pins` says where its output pins lead. */
  #wiring(id: string, pins: Readonly<Record<string, Line>> = {}): Wiring {
    const host = this.#host;
    return {
      irq: (pin) => pins[pin] ?? unconnected,
      timer: (onExpire) => host.timer(onExpire),
      now: () => host.now(),
      ports: (name, base, length, handler) => this.#ports.claim(name, base, length, handler),
      mmio: (name, base, length, handler) => this.#mmio.claim(name, base, length, handler),
      memory: host.memory,
      guestError: (what, detail) => host.guestError(id, what, detail),
    };
  }
}

function bothOf(first: Line, second: Line): Line {
  return {
    set: (level) => {
      first.set(level);
      second.set(level);
    },
  };
}
