import { BlockError } from '../host/blockStore.ts';

/** The error of an access that does not lie inside a store, or undefined. */
export function checkBounds(name: string, sizeBytes: number, offset: number, length: number): BlockError | undefined {
  const inside = Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= sizeBytes;
  return inside ? undefined : new BlockError(`${name}: bytes ${offset}..${offset + length} lie outside its ${sizeBytes} bytes`);
}
