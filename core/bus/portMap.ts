// I/O port dispatch: 65536 ports, one array lookup an access.
import type { Mapping, PortHandler } from './device.ts';

export type AccessSize = 1 | 2 | 4;

/** Told about accesses that nobody claims; a read then gives all ones. */
export type UnclaimedPort = (kind: 'read' | 'write', port: number, size: AccessSize, value: number) => void;

interface Claim {
  readonly name: string;
  readonly base: number;
  readonly length: number;
  readonly handler: PortHandler;
}

const PORTS = 0x10000;

/** All ones in `size` bytes, unsigned: what a floating bus reads. */
export const allOnes = (size: AccessSize): number => (size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff);

export class PortMap {
  readonly #handlers: (PortHandler | null)[] = new Array<PortHandler | null>(PORTS).fill(null);
  /** Oldest first: the last one that covers a port owns it. */
  #claims: Claim[] = [];
  readonly #unclaimed: UnclaimedPort;

  constructor(unclaimed: UnclaimedPort = () => {}) {
    this.#unclaimed = unclaimed;
  }

  /** A later claim wins until it is unmapped. Ports past FFFFh do not exist and are left out. */
  claim(name: string, base: number, length: number, handler: PortHandler): Mapping {
    const claim: Claim = { name, base, length, handler };
    this.#claims.push(claim);
    const end = Math.min(base + length, PORTS);
    for (let port = base; port < end; port++) this.#handlers[port] = handler;
    return { unmap: () => this.#unmap(claim) };
  }

  /** Name of the owner of a port, for logs. */
  ownerOf(port: number): string | null {
    return this.#claims.findLast((claim) => port >= claim.base && port < claim.base + claim.length)?.name ?? null;
  }

  read(port: number, size: AccessSize): number {
    const handler = this.#handlers[port]!;
    if (size === 1 || this.#handlers[(port + size - 1) & 0xffff] === handler) {
      if (handler !== null) return handler.read(port, size);
      this.#unclaimed('read', port, size, 0);
      return allOnes(size);
    }
    let value = 0;
    for (let index = size - 1; index >= 0; index--) value = value * 256 + this.read((port + index) & 0xffff, 1);
    return value;
  }

  write(port: number, value: number, size: AccessSize): void {
    const handler = this.#handlers[port]!;
    if (size === 1 || this.#handlers[(port + size - 1) & 0xffff] === handler) {
      if (handler !== null) handler.write(port, value, size);
      else this.#unclaimed('write', port, size, value);
      return;
    }
    for (let index = 0; index < size; index++) this.write((port + index) & 0xffff, (value >>> (8 * index)) & 0xff, 1);
  }

  #unmap(claim: Claim): void {
    if (!this.#claims.includes(claim)) return;
    this.#claims = this.#claims.filter((other) => other !== claim);
    const end = Math.min(claim.base + claim.length, PORTS);
    this.#handlers.fill(null, claim.base, end);
    for (const other of this.#claims) {
      const from = Math.max(other.base, claim.base);
      const to = Math.min(other.base + other.length, end);
      for (let port = from; port < to; port++) this.#handlers[port] = other.handler;
    }
  }
}

/** What an 8-bit device offers; `bytePorts` makes a handler of it. */
export interface ByteHandler {
  read8(port: number): number;
  write8(port: number, value: number): void;
}

/** An 8-bit device on the ISA bus: the bus splits wider accesses into bytes, lowest port first. */
export function bytePorts(device: ByteHandler): PortHandler {
  return {
    read(port, size) {
      if (size === 1) return device.read8(port);
      let value = 0;
      for (let index = 0; index < size; index++) value += device.read8(port + index) * 2 ** (8 * index);
      return value;
    },
    write(port, value, size) {
      if (size === 1) device.write8(port, value & 0xff);
      else for (let index = 0; index < size; index++) device.write8(port + index, (value >>> (8 * index)) & 0xff);
    },
  };
}
