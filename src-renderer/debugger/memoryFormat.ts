// Memory as bytes, numbers or text, and back from what a person types.
export const MEMORY_FORMATS = [
  { value: 'u8', label: 'Bytes', size: 1, columns: 16 },
  { value: 'u16', label: '16 bit', size: 2, columns: 8 },
  { value: 'u32', label: '32 bit', size: 4, columns: 4 },
  { value: 'u64', label: '64 bit', size: 8, columns: 2 },
  { value: 'f32', label: 'float', size: 4, columns: 4 },
  { value: 'f64', label: 'double', size: 8, columns: 2 },
  { value: 'text', label: 'Text', size: 1, columns: 64 },
] as const;
export type MemoryFormat = (typeof MEMORY_FORMATS)[number]['value'];

export const formatOf = (name: MemoryFormat) => MEMORY_FORMATS.find(({ value }) => value === name)!;
export const rowBytes = (name: MemoryFormat): number => formatOf(name).size * formatOf(name).columns;

export const characterOf = (byte: number): string => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.');

const view = (bytes: Uint8Array, at: number): DataView => new DataView(bytes.buffer, bytes.byteOffset + at);

export function cellText(bytes: Uint8Array, at: number, format: MemoryFormat): string {
  switch (format) {
    case 'u8':
      return bytes[at]!.toString(16).padStart(2, '0');
    case 'u16':
      return view(bytes, at).getUint16(0, true).toString(16).padStart(4, '0');
    case 'u32':
      return view(bytes, at).getUint32(0, true).toString(16).padStart(8, '0');
    case 'u64':
      return view(bytes, at).getBigUint64(0, true).toString(16).padStart(16, '0');
    case 'f32':
      return floatText(view(bytes, at).getFloat32(0, true), 7);
    case 'f64':
      return floatText(view(bytes, at).getFloat64(0, true), 15);
    case 'text':
      return characterOf(bytes[at]!);
  }
}

function floatText(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+inf' : '-inf';
  if (Object.is(value, -0)) return '-0';
  return String(Number(value.toPrecision(digits)));
}

/** Width of a cell in characters. */
export function cellWidth(format: MemoryFormat): number {
  return { u8: 2, u16: 4, u32: 8, u64: 16, f32: 14, f64: 23, text: 1 }[format];
}

/** The bytes of what was typed, or why it cannot be. */
export function cellBytes(text: string, format: MemoryFormat): Uint8Array<ArrayBuffer> | string {
  const { size } = formatOf(format);
  if (format === 'text') {
    const typed = new TextEncoder().encode(text);
    return typed.length === 0 ? 'Type at least one character.' : typed;
  }
  const bytes = new Uint8Array(size);
  if (format === 'f32' || format === 'f64') {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) return `"${text}" is not a number.`;
    if (format === 'f32') view(bytes, 0).setFloat32(0, value, true);
    else view(bytes, 0).setFloat64(0, value, true);
    return bytes;
  }
  const digits = text.trim().replace(/^0x|h$/gi, '');
  if (!/^[0-9a-f]+$/i.test(digits)) return `"${text}" is not a hexadecimal value.`;
  const value = BigInt(`0x${digits}`);
  if (value >= 1n << BigInt(size * 8)) return `${digits}h does not fit ${size * 8} bits.`;
  for (let index = 0; index < size; index++) bytes[index] = Number((value >> BigInt(index * 8)) & 0xffn);
  return bytes;
}

/** Indexes of bytes that differ where two reads overlap. */
export function changedBytes(
  before: { address: bigint; bytes: Uint8Array } | null,
  now: { address: bigint; bytes: Uint8Array },
): Set<number> {
  const changed = new Set<number>();
  if (before === null) return changed;
  for (let index = 0; index < now.bytes.length; index++) {
    const at = Number(now.address - before.address) + index;
    if (at >= 0 && at < before.bytes.length && before.bytes[at] !== now.bytes[index]) changed.add(index);
  }
  return changed;
}
