// PIIX3 ISA bridge, function 0: identity and the routing of PCI interrupts (Intel 82371SB 3.1, PIRQRC 60h-63h).
import type { Device, Line, ResetKind } from '../bus/device.ts';
import { configurationBytes, PciConfiguration } from '../bus/pciConfiguration.ts';
import { record, recordCodec } from '../bus/savedState.ts';
import { SharedLine } from '../bus/sharedLine.ts';

export interface Piix3IsaState {
  config: Uint8Array;
}

const PIRQRC = 0x60;
const ROUTING_OFF = 0x80;
/** IRQs that a PIRQ can reach (82371SB table 12): 3-7, 9-12, 14, 15. */
const ROUTABLE = 0xdef8;

export class Piix3Isa implements Device<Piix3IsaState> {
  readonly id = 'isaBridge';
  readonly pci: PciConfiguration;
  readonly #irqs: readonly Line[];
  readonly #outputs: readonly Line[];
  readonly #pirqs: readonly SharedLine[];
  /** Levels of PIRQA#-PIRQD#: outputs of other devices, so not saved. */
  readonly #levels = [false, false, false, false];

  readonly state = recordCodec(
    1,
    record<Piix3IsaState>({ config: configurationBytes }),
    () => ({ config: this.pci.bytes }),
    (saved) => {
      this.pci.restore(saved.config);
      this.#syncOutputs();
    },
  );

  /** `irqs`: a driver of each of the 16 ISA interrupt lines; `pirqs`: where PIRQA#-PIRQD# lead besides, active low. */
  constructor(options: { device: number; irqs: readonly Line[]; pirqs: readonly Line[] }) {
    this.#irqs = options.irqs;
    this.#outputs = options.pirqs;
    this.pci = new PciConfiguration(
      {
        device: options.device,
        function: 0,
        vendorId: 0x8086,
        deviceId: 0x7000,
        classCode: 0x060100,
        multiFunction: true,
        command: 0x0008,
        commandReset: 0x0007,
      },
      () => this.#syncOutputs(),
    );
    for (let register = 0x40; register < 0xb0; register++) this.pci.define(register, 1, 0, 0xff);
    for (let pirq = 0; pirq < 4; pirq++) this.pci.define(PIRQRC + pirq, 1, ROUTING_OFF, 0x8f);
    this.pci.define(0x4c, 1, 0x4d, 0xff);
    this.pci.define(0x4e, 1, 0x03, 0xff);
    this.#pirqs = this.#levels.map(
      (_, pirq) =>
        new SharedLine({
          set: (level) => {
            if (this.#levels[pirq] === level) return;
            this.#levels[pirq] = level;
            this.#outputs[pirq]?.set(!level);
            this.#syncOutputs();
          },
        }),
    );
  }

  /** The line of pin 1..4 (INTA#..INTD#) of a device on bus 0: swizzled so that slots spread over the PIRQs. */
  intx(device: number, pin: number): Line {
    return this.#pirqs[(device - 1 + pin - 1) & 3]!.input();
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.pci.reset();
    this.#syncOutputs();
  }

  #syncOutputs(): void {
    let high = 0;
    for (let pirq = 0; pirq < 4; pirq++) {
      const route = this.pci.bytes[PIRQRC + pirq]!;
      if (this.#levels[pirq] && !(route & ROUTING_OFF)) high |= 1 << (route & 15);
    }
    for (let irq = 0; irq < 16; irq++) if (ROUTABLE & (1 << irq)) this.#irqs[irq]!.set((high & (1 << irq)) !== 0);
  }
}
