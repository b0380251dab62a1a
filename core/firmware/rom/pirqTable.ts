// $PIR, the PCI IRQ routing table (Microsoft PCI IRQ Routing Table Specification 1.0).
import { pciIds, pirqIrqs, pirqOf } from '../board.ts';

/** Devices of bus 0 with a slot entry; higher ones are free for plug-in functions. */
const devices = [1, 2, 3, 4, 5, 6, 7, 8];

const irqMask = pirqIrqs.reduce<number>((mask, irq) => mask | (1 << irq), 0);

/** The slot entries alone, as PCI BIOS function 0Eh returns them. Link values are the PIIX's PIRQRC registers. */
export function pirqSlots(): Uint8Array {
  const bytes = new Uint8Array(devices.length * 16);
  const view = new DataView(bytes.buffer);
  devices.forEach((device, index) => {
    const at = index * 16;
    bytes[at + 1] = device << 3;
    for (let pin = 0; pin < 4; pin++) {
      bytes[at + 2 + pin * 3] = 0x60 + pirqOf(device, pin);
      view.setUint16(at + 3 + pin * 3, irqMask, true);
    }
    bytes[at + 14] = device > 2 ? device - 2 : 0;
  });
  return bytes;
}

export function pirqTable(): Uint8Array {
  const slots = pirqSlots();
  const bytes = new Uint8Array(32 + slots.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x24, 0x50, 0x49, 0x52, 0x00, 0x01]);
  view.setUint16(6, bytes.length, true);
  bytes[9] = (pciIds.isaBridge[0] << 3) | pciIds.isaBridge[1];
  view.setUint32(12, 0x7000_8086, true);
  bytes.set(slots, 32);
  bytes[31] = checksum(bytes);
  return bytes;
}

/** The byte that makes all bytes add up to zero. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}
