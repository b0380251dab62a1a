// The i440FX/PIIX board: the only place that names devices, IRQ numbers and addresses.
import type { Device, Line, ResetKind, Wiring } from '../bus/device.ts';
import { MmioMap, type MmioRange } from '../bus/mmioMap.ts';
import { PortMap, type AccessSize } from '../bus/portMap.ts';
import { SharedLine, unconnected } from '../bus/sharedLine.ts';
import { Dma8237 } from '../devices/dma/dma8237.ts';
import { DmaPages } from '../devices/dma/dmaPages.ts';
import { I8042 } from '../devices/input/i8042.ts';
import { Ps2Keyboard } from '../devices/input/ps2Keyboard.ts';
import { Ps2Mouse } from '../devices/input/ps2Mouse.ts';
import { Pic8259 } from '../devices/interrupt/pic8259.ts';
import { attachDebugConsole, attachDebugExit } from '../devices/power/debugPorts.ts';
import { Piix4Pm } from '../devices/power/piix4Pm.ts';
import { Port92 } from '../devices/power/port92.ts';
import { ResetControl } from '../devices/power/resetControl.ts';
import { Uart16550 } from '../devices/serial/uart16550.ts';
import { AtaDisk } from '../devices/storage/ataDisk.ts';
import { AtapiCdrom } from '../devices/storage/atapiCdrom.ts';
import { IdeChannel, PiixIde } from '../devices/storage/piixIde.ts';
import { Pit8254 } from '../devices/timer/pit8254.ts';
import { RtcCmos } from '../devices/timer/rtcCmos.ts';
import { Vga } from '../devices/video/vga.ts';
import type { BlockStore } from '../host/blockStore.ts';
import type { BoardHost } from './boardHost.ts';
import { I440fxHostBridge } from './i440fxHostBridge.ts';
import { PciHost } from './pciHost.ts';
import { Piix3Isa } from './piix3Isa.ts';
import { VgaPci } from './vgaPci.ts';

export interface I440fxBoardOptions {
  readonly memoryBytes: number;
  /** Primary master and slave. */
  readonly disks: readonly BlockStore[];
  /** Medium of the CD-ROM drive, secondary master; null: an empty drive. */
  readonly cdrom: BlockStore | null;
  /** Port F4h ends the machine. */
  readonly debugExit: boolean;
  /** Seconds since 1970 at guest time 0. */
  readonly rtcStart: number;
}

const PIIX_DEVICE = 1;
const VGA_DEVICE = 2;

const IRQ = { TIMER: 0, KEYBOARD: 1, CASCADE: 2, COM2: 3, COM1: 4, RTC: 8, SCI: 9, MOUSE: 12, IDE0: 14, IDE1: 15 } as const;

export class I440fxBoard {
  readonly devices: readonly Device[];
  readonly rtc: RtcCmos;
  readonly pit: Pit8254;
  readonly serial: readonly Uart16550[];
  readonly a20: Port92;
  readonly vga: Vga;
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
  #onMmioChange: () => void = () => {};

  constructor(host: BoardHost, options: I440fxBoardOptions) {
    this.#host = host;
    this.#ports = new PortMap((kind, port, size, value) => host.unclaimedAccess('port', kind, port, size, value));
    this.#mmio = new MmioMap(
      (kind, address, size, value) => host.unclaimedAccess('memory', kind, address, size, value),
      () => this.#onMmioChange(),
    );

    this.#master = new Pic8259(this.#wiring('pic0', { int: host.cpu.intr }), {
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
        new SharedLine(irq === IRQ.CASCADE ? unconnected : irq < 8 ? this.#master.input(irq) : this.#slave.input(irq - 8)),
    );

    this.pit = new Pit8254(this.#wiring('pit0', { irq: this.#irq(IRQ.TIMER) }));
    this.rtc = new RtcCmos(this.#wiring('rtc0', { irq: this.#irq(IRQ.RTC) }), options.rtcStart);
    this.a20 = new Port92(this.#wiring('port92', { a20: host.cpu.a20 }), () => host.cpu.reset('soft'));
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
    const hostBridge = new I440fxHostBridge((base, length, backing) => host.romMapping(base, length, backing));
    const isa = new Piix3Isa({ device: PIIX_DEVICE, irqs: this.#irqs.map((line) => line.input()) });
    this.#pm = new Piix4Pm(this.#wiring('pm0', { sci: this.#irq(IRQ.SCI) }), {
      device: PIIX_DEVICE,
      function: 3,
      onPowerOff: () => host.powerOff(),
    });
    this.vga = new Vga(this.#wiring('vga'));
    const vgaPci = new VgaPci({ device: VGA_DEVICE });
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

    attachDebugConsole(this.#wiring('debugConsole'), (byte) => host.debugOutput(byte));
    if (options.debugExit) attachDebugExit(this.#wiring('debugExit'), (value) => host.debugExit(value));

    // Interrupt controllers come last: on restore they take back what other devices' outputs did to their inputs.
    this.devices = [
      this.a20,
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
      this.#slave,
      this.#master,
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
    return this.#master.pending;
  }

  /** The INTA cycle: the vector for the CPU, the default IR7 when the request has gone (8259A p.18). */
  acknowledgeInterrupt(): number {
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
