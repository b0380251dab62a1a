/** The unsigned value of `size` bytes in memory order. */
export function littleEndian(bytes: ArrayLike<number>, at = 0, size = bytes.length - at): bigint {
  let value = 0n;
  for (let index = at + size - 1; index >= at; index--) value = (value << 8n) | BigInt(bytes[index]!);
  return value;
}
