// The VGA's four planes and the path of CPU accesses through the graphics controller (IBM VGA reference 2-60 ff.).
// A word of `planes` holds one offset of all four planes, plane 0 lowest, so that the controller's parallel logic is
// ordinary 32-bit arithmetic.
import { GC, GC_MODE, MEMORY_MODE, SEQ } from './vga.registers.ts';

/** Offsets that share a dirty mark. */
export const DIRTY_SHIFT = 6;

/** A 4-bit plane mask as a word of whole bytes. */
const PLANES: readonly number[] = Array.from(
  { length: 16 },
  (_, mask) => (mask & 1 ? 0xff : 0) | (mask & 2 ? 0xff00 : 0) | (mask & 4 ? 0xff0000 : 0) | (mask & 8 ? 0xff000000 : 0),
);
const spread = (byte: number): number => Math.imul(byte, 0x01010101);

/** Window by bits 3-2 of the miscellaneous register: start and end relative to A0000h. */
const WINDOW_START = [0, 0, 0x10000, 0x18000] as const;
const WINDOW_END = [0x20000, 0x10000, 0x18000, 0x20000] as const;

export class VgaMemory {
  readonly planes = new Int32Array(0x10000);
  readonly bytes = new Uint8Array(this.planes.buffer);
  readonly dirty = new Uint8Array(0x10000 >> DIRTY_SHIFT);
  anyDirty = true;
  /** Plane 2, where character generators live, was written. */
  plane2Dirty = true;
  latch = 0;

  // Register values as the access path needs them
  #start = 0;
  #end = 0;
  #chain4 = false;
  #oddEvenWrite = false;
  #oddEvenRead = false;
  #writeMode = 0;
  #compare = false;
  #mapMask = 0;
  #setReset = 0;
  #enableSetReset = 0;
  #rotate = 0;
  #operation = 0;
  #bitMask = 0;
  #readMap = 0;
  #compareColor = 0;
  #compareCare = 0;
  /** Write mode 0 that only copies the byte. */
  #plain = false;

  /** Takes over sequencer and graphics controller registers; called at each change of them. */
  configure(seq: Uint8Array, gc: Uint8Array, enabled: boolean): void {
    const window = (gc[GC.MISC]! >> 2) & 3;
    this.#start = WINDOW_START[window as 0 | 1 | 2 | 3];
    this.#end = enabled ? WINDOW_END[window as 0 | 1 | 2 | 3] : 0;
    this.#chain4 = (seq[SEQ.MEMORY_MODE]! & MEMORY_MODE.CHAIN4) !== 0;
    this.#oddEvenWrite = !this.#chain4 && (seq[SEQ.MEMORY_MODE]! & MEMORY_MODE.SEQUENTIAL) === 0;
    this.#oddEvenRead = !this.#chain4 && (gc[GC.MODE]! & GC_MODE.ODD_EVEN) !== 0;
    this.#writeMode = gc[GC.MODE]! & GC_MODE.WRITE;
    this.#compare = (gc[GC.MODE]! & GC_MODE.READ_COMPARE) !== 0;
    this.#mapMask = seq[SEQ.MAP_MASK]! & 15;
    this.#setReset = PLANES[gc[GC.SET_RESET]! & 15]!;
    this.#enableSetReset = PLANES[gc[GC.ENABLE_SET_RESET]! & 15]!;
    this.#rotate = gc[GC.ROTATE]! & 7;
    this.#operation = (gc[GC.ROTATE]! >> 3) & 3;
    this.#bitMask = spread(gc[GC.BIT_MASK]!);
    this.#readMap = gc[GC.READ_MAP]! & 3;
    this.#compareColor = PLANES[gc[GC.COLOR_COMPARE]! & 15]!;
    this.#compareCare = PLANES[gc[GC.COLOR_DONT_CARE]! & 15]!;
    this.#plain =
      this.#writeMode === 0 && this.#rotate === 0 && this.#operation === 0 && this.#enableSetReset === 0 && this.#bitMask === -1;
  }

  /** `offset` is relative to A0000h. */
  read8(offset: number): number {
    if (offset < this.#start || offset >= this.#end) return 0xff;
    const address = (offset - this.#start) & 0xffff;
    let plane = this.#readMap;
    let at = address;
    if (this.#chain4) {
      plane = address & 3;
      at = address & 0xfffc;
    } else if (this.#oddEvenRead) {
      plane = (plane & 2) | (address & 1);
      at = address & 0xfffe;
    }
    const latch = this.planes[at]!;
    this.latch = latch;
    if (!this.#compare) return (latch >>> (8 * plane)) & 0xff;
    const differs = (latch ^ this.#compareColor) & this.#compareCare;
    return ~(differs | (differs >>> 8) | (differs >>> 16) | (differs >>> 24)) & 0xff;
  }

  write8(offset: number, value: number): void {
    if (offset < this.#start || offset >= this.#end) return;
    const address = (offset - this.#start) & 0xffff;
    let mask = this.#mapMask;
    let at = address;
    if (this.#chain4) {
      mask &= 1 << (address & 3);
      at = address & 0xfffc;
    } else if (this.#oddEvenWrite) {
      mask &= address & 1 ? 0x0a : 0x05;
      at = address & 0xfffe;
    }
    const enabled = PLANES[mask]!;
    const data = this.#plain ? spread(value) : this.#combine(value);
    this.planes[at] = (this.planes[at]! & ~enabled) | (data & enabled);
    this.dirty[at >> DIRTY_SHIFT] = 1;
    this.anyDirty = true;
    if (mask & 4) this.plane2Dirty = true;
  }

  markAll(): void {
    this.dirty.fill(1);
    this.anyDirty = true;
    this.plane2Dirty = true;
  }

  /** What a CPU byte becomes in all planes by write mode, set/reset, function and bit mask. */
  #combine(value: number): number {
    const latch = this.latch;
    const mode = this.#writeMode;
    if (mode === 1) return latch;
    let bitMask = this.#bitMask;
    let data: number;
    if (mode === 2) data = PLANES[value & 15]!;
    else {
      const rotated = spread(((value >>> this.#rotate) | (value << (8 - this.#rotate))) & 0xff);
      if (mode === 0) data = (rotated & ~this.#enableSetReset) | (this.#setReset & this.#enableSetReset);
      else {
        bitMask &= rotated;
        data = this.#setReset;
      }
    }
    if (this.#operation === 1) data &= latch;
    else if (this.#operation === 2) data |= latch;
    else if (this.#operation === 3) data ^= latch;
    return (data & bitMask) | (latch & ~bitMask);
  }
}
