// The kernel's log: the lockless ring of records (Linux 5.10 and later, kernel/printk/printk_ringbuffer.c). Offsets are
// those of VMCOREINFO where the kernel tells them, else those of the structures as they are laid out since 5.10.
import { decodeText } from '../symbols/byteReader.ts';
import { DebugError, type SymbolSource } from '../target.ts';
import { pointerIn, wordIn, type GuestMemory } from './guestMemory.ts';
import type { VmcoreInfo } from './vmcoreInfo.ts';

const MAX_COUNT_BITS = 20;
const MAX_SIZE_BITS = 26;
const STATE = { committed: 1n, finalized: 2n } as const;

interface Ring {
  readonly countBits: number;
  readonly descriptors: bigint;
  readonly infos: bigint;
  readonly headId: bigint;
  readonly tailId: bigint;
  readonly sizeBits: number;
  readonly data: bigint;
}

interface Layout {
  readonly descRing: number;
  readonly dataRing: number;
  readonly countBits: number;
  readonly descs: number;
  readonly infos: number;
  readonly headId: number;
  readonly tailId: number;
  readonly sizeBits: number;
  readonly data: number;
  readonly descBytes: number;
  readonly stateVar: number;
  readonly begin: number;
  readonly next: number;
  readonly infoBytes: number;
  readonly nanoseconds: number;
  readonly textLength: number;
}

/** Lines as dmesg prints them. Throws a DebugError when there is no log to be found. */
export function readKernelLog(memory: GuestMemory, symbols: SymbolSource, info: VmcoreInfo | null): string {
  const ringPointer = info?.symbols.get('prb') ?? symbols.address('prb');
  const direct = symbols.address('printk_rb_static');
  if (ringPointer === undefined && direct === undefined) {
    throw new DebugError('the log was not found: neither the kernel\'s note nor the symbols name prb (Linux 5.10 or later)');
  }
  const ring = ringPointer === undefined ? direct! : memory.pointer(ringPointer);
  if (ring === null) throw new DebugError(`the log's ring is not mapped at ${ringPointer!.toString(16)}h: is the kernel running?`);
  const layouts = layoutsOf(memory.pointerBytes, info);
  for (const layout of layouts) {
    const found = readRing(memory, ring, layout);
    if (found !== null) return records(memory, found, layout).join('\n');
  }
  throw new DebugError(`expected the log's ring at ${ring.toString(16)}h, found something else`);
}

/** What the note says, then the structures of 5.10, then those with the word that was added to the ring of descriptors. */
function layoutsOf(p: 4 | 8, info: VmcoreInfo | null): Layout[] {
  const ring = p === 8 ? { descs: 8, infos: 16, headId: 24, tailId: 32, end: 40 } : { descs: 4, infos: 8, headId: 12, tailId: 16, end: 20 };
  const plain = (dataRing: number): Layout => ({
    descRing: 0, dataRing, countBits: 0, descs: ring.descs, infos: ring.infos, headId: ring.headId, tailId: ring.tailId,
    sizeBits: 0, data: p, descBytes: 3 * p, stateVar: 0, begin: p, next: 2 * p, infoBytes: 88, nanoseconds: 8, textLength: 16,
  });
  const layouts = [plain(ring.end), plain(ring.end + p)];
  if (info?.offset('prb_desc_ring.descs') === undefined) return layouts;
  const base = layouts[0];
  const offset = (field: string, otherwise: number): number => info.offset(field) ?? otherwise;
  const position = offset('prb_desc.text_blk_lpos', p);
  layouts.unshift({
    descRing: offset('printk_ringbuffer.desc_ring', 0),
    dataRing: offset('printk_ringbuffer.text_data_ring', base.dataRing),
    countBits: offset('prb_desc_ring.count_bits', 0),
    descs: offset('prb_desc_ring.descs', base.descs),
    infos: offset('prb_desc_ring.infos', base.infos),
    headId: offset('prb_desc_ring.head_id', base.headId),
    tailId: offset('prb_desc_ring.tail_id', base.tailId),
    sizeBits: offset('prb_data_ring.size_bits', 0),
    data: offset('prb_data_ring.data', base.data),
    descBytes: info.size('prb_desc') ?? base.descBytes,
    stateVar: offset('prb_desc.state_var', 0),
    begin: position + offset('prb_data_blk_lpos.begin', 0),
    next: position + offset('prb_data_blk_lpos.next', p),
    infoBytes: info.size('printk_info') ?? base.infoBytes,
    nanoseconds: offset('printk_info.ts_nsec', base.nanoseconds),
    textLength: offset('printk_info.text_len', base.textLength),
  });
  return layouts;
}

/** Null: what stands there cannot be a ring. */
function readRing(memory: GuestMemory, at: bigint, layout: Layout): Ring | null {
  const desc = at + BigInt(layout.descRing), data = at + BigInt(layout.dataRing);
  const pointer = (base: bigint, offset: number): bigint | null => memory.pointer(base + BigInt(offset));
  const countBits = memory.u32(desc + BigInt(layout.countBits)), sizeBits = memory.u32(data + BigInt(layout.sizeBits));
  const descriptors = pointer(desc, layout.descs), infos = pointer(desc, layout.infos);
  const headId = pointer(desc, layout.headId), tailId = pointer(desc, layout.tailId), text = pointer(data, layout.data);
  if (countBits === null || sizeBits === null || descriptors === null || infos === null || headId === null || tailId === null || text === null) return null;
  if (countBits < 1 || countBits > MAX_COUNT_BITS || sizeBits < 8 || sizeBits > MAX_SIZE_BITS) return null;
  if (![descriptors, infos, text].every((value) => memory.isKernelPointer(value))) return null;
  return { countBits, descriptors, infos, headId, tailId, sizeBits, data: text };
}

function records(memory: GuestMemory, ring: Ring, layout: Layout): string[] {
  const p = memory.pointerBytes;
  const count = 1 << ring.countBits, size = 1 << ring.sizeBits;
  const descriptors = memory.bytes(ring.descriptors, count * layout.descBytes);
  const infos = memory.bytes(ring.infos, count * layout.infoBytes);
  const data = memory.bytes(ring.data, size);
  if (descriptors === null || infos === null || data === null) throw new DebugError('parts of the log are not mapped');
  const idBits = BigInt(p * 8 - 2), idMask = (1n << idBits) - 1n;
  const lines: string[] = [];
  const last = ring.headId & idMask;
  let id = ring.tailId & idMask;
  for (let step = 0; step < count; step++) {
    const index = Number(id % BigInt(count));
    const at = index * layout.descBytes;
    const stateVar = pointerIn(descriptors, at + layout.stateVar, p);
    const state = stateVar >> idBits;
    // A descriptor that was used again meanwhile carries another id.
    if ((stateVar & idMask) === id && (state === STATE.committed || state === STATE.finalized)) {
      const begin = pointerIn(descriptors, at + layout.begin, p), next = pointerIn(descriptors, at + layout.next, p);
      const info = index * layout.infoBytes;
      const length = infos[info + layout.textLength] | (infos[info + layout.textLength + 1] << 8);
      const seconds = stampOf(infos, info + layout.nanoseconds);
      for (const line of textOf(data, begin, next, ring.sizeBits, length, p).split('\n')) lines.push(`[${seconds}] ${line}`);
    }
    if (id === last) break;
    id = (id + 1n) & idMask;
  }
  return lines;
}

/** `    9.434454`. */
function stampOf(infos: Uint8Array, at: number): string {
  const nanoseconds = wordIn(infos, at) + wordIn(infos, at + 4) * 2 ** 32;
  const micros = Math.floor(nanoseconds / 1000);
  return `${String(Math.floor(micros / 1e6)).padStart(5)}.${String(micros % 1e6).padStart(6, '0')}`;
}

/** A block is its id and then the text; one that does not fit before the end of the ring stands at its beginning. */
function textOf(data: Uint8Array, begin: bigint, next: bigint, sizeBits: number, length: number, p: 4 | 8): string {
  // Both odd: there is no data.
  if ((begin & 1n) === 1n && (next & 1n) === 1n) return '';
  const size = data.length, mask = BigInt(size - 1), bits = BigInt(sizeBits);
  const start = begin >> bits === next >> bits || (next & mask) === 0n ? Number(begin & mask) : 0;
  const from = start + p;
  return decodeText(data, from, Math.min(from + length, size));
}
