// Messages on a byte wire (WebSocket): JSON text, or, when byte arrays are inside,
// u32 header length (little endian), JSON header, then the arrays one after the other.
import { z } from 'zod';
import { failureSchema } from './failure.ts';

export const wireRequestSchema = z.object({ id: z.number().int(), method: z.string(), request: z.unknown() });
export const wireMessageSchema = z.union([
  z.object({ id: z.number().int(), response: z.unknown() }).strict(),
  z.object({ id: z.number().int(), failure: failureSchema }).strict(),
  z.object({ event: z.string(), data: z.unknown() }).strict(),
]);

const MARK = '$bytes';

export function encodeMessage(message: unknown): string | Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  // The holder's own value is looked at: a subclass with a `toJSON` (Node's Buffer) arrives converted otherwise.
  const text = JSON.stringify(message, function (this: Record<string, unknown>, key, value: unknown) {
    const original = this[key];
    if (!(original instanceof Uint8Array)) return value;
    parts.push(original);
    return { [MARK]: parts.length - 1 };
  });
  if (parts.length === 0) return text;
  const header = new TextEncoder().encode(JSON.stringify({ lengths: parts.map((part) => part.length), message: text }));
  const bytes = new Uint8Array(4 + header.length + parts.reduce((sum, part) => sum + part.length, 0));
  new DataView(bytes.buffer).setUint32(0, header.length, true);
  bytes.set(header, 4);
  let offset = 4 + header.length;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

const headerSchema = z.object({ lengths: z.array(z.number().int().nonnegative()), message: z.string() });

/** Throws on anything that `encodeMessage` does not write. */
export function decodeMessage(data: string | Uint8Array<ArrayBuffer>): unknown {
  if (typeof data === 'string') return JSON.parse(data);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const headerLength = view.getUint32(0, true);
  const header = headerSchema.parse(JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + headerLength))));
  let offset = 4 + headerLength;
  const parts = header.lengths.map((length) => {
    const part = data.subarray(offset, offset + length);
    if (part.length !== length) throw new Error('message is cut short');
    offset += length;
    return part;
  });
  return JSON.parse(header.message, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, MARK)) return value;
    const part = parts[(value as Record<string, number>)[MARK] ?? -1];
    if (part === undefined) throw new Error('message names bytes it does not have');
    return part;
  });
}
