// Ports for operating-system developers: isa-debug-exit at F4h and the debug console (E9h, for foreign firmware also 402h).
import type { Wiring } from '../../bus/device.ts';

/** A write of any size ends the machine with the value written. */
export function attachDebugExit(wiring: Wiring, onExit: (value: number) => void): void {
  wiring.ports('debugExit', 0xf4, 4, { read: () => 0, write: (_port, value) => onExit(value) });
}

/** Bytes written go to the host; reads give E9h, by which programs find out that the port is there. */
export function attachDebugConsole(wiring: Wiring, port: number, onByte: (byte: number) => void): void {
  wiring.ports('debugConsole', port, 1, { read: () => 0xe9, write: (_port, value) => onByte(value & 0xff) });
}
