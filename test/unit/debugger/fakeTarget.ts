// A machine that stands still: memory as a map of pieces, registers as a record.
import type { DebugTarget, Space, TargetMode } from '../../../core/debugger/target.ts';

export interface FakeMachine extends DebugTarget {
  readonly values: Map<string, bigint>;
  /** Puts bytes at a linear (and the same physical) address. */
  put(address: bigint, bytes: Uint8Array | readonly number[]): void;
  put32(address: bigint, ...values: (bigint | number)[]): void;
}

export interface FakeOptions {
  readonly bits?: 16 | 32 | 64;
  readonly protectedMode?: boolean;
  readonly registers?: Readonly<Record<string, bigint | number>>;
}

export function fakeTarget(options: FakeOptions = {}): FakeMachine {
  const pages = new Map<bigint, Uint8Array>();
  const bits = options.bits ?? 32;
  const protectedMode = options.protectedMode ?? bits !== 16;
  const values = new Map(Object.entries(options.registers ?? {}).map(([name, value]) => [name, BigInt(value)]));
  const byteAt = (address: bigint): number | null => pages.get(address >> 12n)?.[Number(address & 0xfffn)] ?? null;
  const put = (address: bigint, bytes: Uint8Array | readonly number[]): void => {
    bytes.forEach((byte: number, index: number) => {
      const at = address + BigInt(index);
      let page = pages.get(at >> 12n);
      if (page === undefined) pages.set(at >> 12n, (page = new Uint8Array(4096)));
      page[Number(at & 0xfffn)] = byte;
    });
  };
  const read = (_space: Space, address: bigint, length: number): Uint8Array | null => {
    const bytes = new Uint8Array(length);
    for (let index = 0; index < length; index++) {
      const byte = byteAt(address + BigInt(index));
      if (byte === null) return null;
      bytes[index] = byte;
    }
    return bytes;
  };
  const mode: TargetMode = {
    name: protectedMode ? `${bits}-bit protected mode` : 'real mode',
    bits, privilege: 0, protectedMode, virtual8086: false, paging: false, addressBytes: bits === 64 ? 8 : 4,
  };
  return {
    values,
    put,
    put32(address, ...words) {
      words.forEach((word, index) => {
        const value = Number(BigInt.asUintN(32, BigInt(word)));
        put(address + BigInt(index * 4), [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]);
      });
    },
    memory: {
      read,
      readPartly(space, address, length) {
        const bytes = new Uint8Array(length);
        const unmapped: { from: number; to: number }[] = [];
        for (let index = 0; index < length; index++) {
          const byte = read(space, address + BigInt(index), 1);
          if (byte !== null) bytes[index] = byte[0];
          else if (unmapped.at(-1)?.to === index) unmapped.at(-1)!.to++;
          else unmapped.push({ from: index, to: index + 1 });
        }
        return { bytes, unmapped };
      },
      write: () => false,
      translate: (linear) => (byteAt(linear) === null ? null : linear),
    },
    registers: { get: (name) => values.get(name), set: () => false },
    mode: () => mode,
    get programCounter() {
      return (values.get('cs.base') ?? 0n) + (values.get(bits === 64 ? 'rip' : 'eip') ?? 0n);
    },
  };
}
