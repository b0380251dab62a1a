// 82441FX host bridge, function 0:0.0: identity and the PAM registers that shadow ROM (Intel 82441FX 3.2.18).
import type { Device, ResetKind } from '../bus/device.ts';
import { configurationBytes, PciConfiguration } from '../bus/pciConfiguration.ts';
import { record, recordCodec } from '../bus/savedState.ts';
import type { RomMapping } from './boardHost.ts';

export interface I440fxHostBridgeState {
  config: Uint8Array;
}

const PAM0 = 0x59;
const PAM_LAST = 0x5f;
const READ_RAM = 0x01;
const WRITE_RAM = 0x02;

/** The 13 stretches between C0000h and FFFFFh: register, bit shift of its field, base, length. */
const STRETCHES: readonly (readonly [register: number, shift: number, base: number, length: number])[] = [
  [0x5a, 0, 0xc0000, 0x4000],
  [0x5a, 4, 0xc4000, 0x4000],
  [0x5b, 0, 0xc8000, 0x4000],
  [0x5b, 4, 0xcc000, 0x4000],
  [0x5c, 0, 0xd0000, 0x4000],
  [0x5c, 4, 0xd4000, 0x4000],
  [0x5d, 0, 0xd8000, 0x4000],
  [0x5d, 4, 0xdc000, 0x4000],
  [0x5e, 0, 0xe0000, 0x4000],
  [0x5e, 4, 0xe4000, 0x4000],
  [0x5f, 0, 0xe8000, 0x4000],
  [0x5f, 4, 0xec000, 0x4000],
  [0x59, 4, 0xf0000, 0x10000],
];

export class I440fxHostBridge implements Device<I440fxHostBridgeState> {
  readonly id = 'hostBridge';
  readonly pci: PciConfiguration;
  readonly #romMapping: RomMapping;
  /** What the host was told last, by stretch; -1: nothing yet. */
  readonly #told = new Array<number>(STRETCHES.length).fill(-1);

  readonly state = recordCodec(
    1,
    record<I440fxHostBridgeState>({ config: configurationBytes }),
    () => ({ config: this.pci.bytes }),
    (saved) => {
      this.pci.restore(saved.config);
      this.#syncOutputs();
    },
  );

  /** `subsystem`: vendor and device by which a foreign firmware knows its emulator; 0: none. */
  constructor(romMapping: RomMapping, subsystem = 0) {
    this.#romMapping = romMapping;
    this.pci = new PciConfiguration(
      { device: 0, function: 0, vendorId: 0x8086, deviceId: 0x1237, revision: 2, classCode: 0x060000, command: 0x0102, commandReset: 0x0006 },
      (register) => {
        if (register + 3 >= PAM0 && register <= PAM_LAST) this.#syncOutputs();
      },
    );
    for (let register = 0x50; register < 0x80; register++) this.pci.define(register, 1, 0, 0xff);
    for (let register = PAM0; register <= PAM_LAST; register++) this.pci.define(register, 1, 0, register === PAM0 ? 0x30 : 0x33);
    this.pci.define(0x2c, 4, subsystem);
    this.pci.define(0x72, 1, 0x02, 0x78); // SMRAM: no SMM here, C_BASE_SEG fixed
    this.#syncOutputs();
  }

  reset(kind: ResetKind): void {
    if (kind === 'soft') return;
    this.pci.reset();
    this.#syncOutputs();
  }

  #syncOutputs(): void {
    STRETCHES.forEach(([register, shift, base, length], index) => {
      const field = (this.pci.bytes[register]! >> shift) & 3;
      if (this.#told[index] === field) return;
      this.#told[index] = field;
      this.#romMapping(base, length, { read: field & READ_RAM ? 'ram' : 'rom', write: field & WRITE_RAM ? 'ram' : 'rom' });
    });
  }
}
