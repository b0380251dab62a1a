// The VGA's PCI function: an identity by which drivers find a display; the legacy ranges are decoded always.
import type { Device, ResetKind } from '../bus/device.ts';
import { configurationBytes, PCI_COMMAND, PciConfiguration } from '../bus/pciConfiguration.ts';
import { record, recordCodec } from '../bus/savedState.ts';

export interface VgaPciState {
  config: Uint8Array;
}

export class VgaPci implements Device<VgaPciState> {
  readonly id = 'vgaPci';
  readonly pci: PciConfiguration;

  readonly state = recordCodec(
    1,
    record<VgaPciState>({ config: configurationBytes }),
    () => ({ config: this.pci.bytes }),
    (saved) => this.pci.restore(saved.config),
  );

  constructor(options: { device: number }) {
    // An id of its own, which no driver binds to: it is a plain VGA without linear frame buffer.
    this.pci = new PciConfiguration({
      device: options.device,
      function: 0,
      vendorId: 0x1234,
      deviceId: 0x1110,
      classCode: 0x030000,
      command: PCI_COMMAND.IO | PCI_COMMAND.MEMORY,
      commandReset: PCI_COMMAND.IO | PCI_COMMAND.MEMORY,
    });
  }

  reset(kind: ResetKind): void {
    if (kind !== 'soft') this.pci.reset();
  }
}
