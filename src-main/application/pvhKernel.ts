// Whether an ELF file is a PVH kernel: a note names its 32-bit entry (Xen public/elfnote.h; System V ABI, "Note Section").
import type { ImageReader } from './imageReader.ts';

const PHYSICAL_ENTRY = 18;
const NOTE_SEGMENT = 4;
const MAX_SEGMENTS = 64;
const MAX_NOTE_BYTES = 65_536;

/** The entry's physical address, or null. */
export function pvhEntry(image: ImageReader): number | null {
  const head = image.read(0, 64);
  if (head.length < 64 || image.ascii(head, 1, 3) !== 'ELF' || head[0] !== 0x7f || head[5] !== 1) return null;
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const wide = head[4] === 2;
  const table = wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const entryBytes = view.getUint16(wide ? 54 : 42, true);
  const count = Math.min(view.getUint16(wide ? 56 : 44, true), MAX_SEGMENTS);
  if (entryBytes < (wide ? 56 : 32) || !Number.isSafeInteger(table)) return null;
  const bytes = image.read(table, entryBytes * count);
  const segments = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
    if (segments.getUint32(at, true) !== NOTE_SEGMENT) continue;
    const [offset, length] = wide
      ? [Number(segments.getBigUint64(at + 8, true)), Number(segments.getBigUint64(at + 32, true))]
      : [segments.getUint32(at + 4, true), segments.getUint32(at + 16, true)];
    const entry = entryIn(image.read(offset, Math.min(length, MAX_NOTE_BYTES)));
    if (entry !== null) return entry;
  }
  return null;
}

function entryIn(bytes: Uint8Array<ArrayBuffer>): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const aligned = (length: number): number => Math.ceil(length / 4) * 4;
  for (let at = 0; at + 12 <= bytes.length;) {
    const [nameBytes, length, type] = [
      view.getUint32(at, true),
      view.getUint32(at + 4, true),
      view.getUint32(at + 8, true),
    ];
    const content = at + 12 + aligned(nameBytes);
    if (content + length > bytes.length) return null;
    const isXen = nameBytes === 4 && String.fromCharCode(...bytes.subarray(at + 12, at + 16)) === 'Xen\0';
    if (isXen && type === PHYSICAL_ENTRY && length >= 4) return view.getUint32(content, true);
    at = content + aligned(length);
  }
  return null;
}
