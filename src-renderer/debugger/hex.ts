// Addresses and values as the contract writes them: hexadecimal without a prefix, since 64 bits do not fit a number.
const ADDRESS_SPACE = 1n << 64n;

export const fromHex = (hex: string): bigint => BigInt(`0x${hex}`);
export const toHex = (value: bigint): string => BigInt.asUintN(64, value).toString(16);

/** Wraps at the end of the address space. */
export function addHex(hex: string, offset: number): string {
  return ((fromHex(hex) + BigInt(offset) + ADDRESS_SPACE) % ADDRESS_SPACE).toString(16);
}

export function padHex(hex: string, bits: number): string {
  return hex.padStart(Math.ceil(bits / 4), '0');
}

/** `3F8h`, as the manuals write numbers. */
export function manualHex(value: number): string {
  return `${value.toString(16).toUpperCase()}h`;
}

/** An expression that names this address whatever symbols there are. */
export function addressExpression(hex: string): string {
  return `0x${hex}`;
}

export function compareHex(left: string, right: string): number {
  const difference = fromHex(left) - fromHex(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Flips one bit, for flags that are edited by themselves. */
export function flipBit(hex: string, bit: number): string {
  return (fromHex(hex) ^ (1n << BigInt(bit))).toString(16);
}
