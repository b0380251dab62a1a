// Numbers as people read them.

const DIGITS = 19;
const INTEGER_BIT = 1n << 63n;

/** A value of the x87 (sign and exponent above a 64-bit significand) in decimal. */
export function extendedText(value: bigint): string {
  const significand = value & 0xffffffffffffffffn;
  const word = Number(value >> 64n) & 0xffff;
  const sign = word >= 0x8000 ? '-' : '';
  const exponent = word & 0x7fff;
  if (exponent === 0x7fff) {
    if (significand === INTEGER_BIT) return `${sign}infinity`;
    if ((significand & INTEGER_BIT) === 0n) return 'unsupported';
    if (value === 0xffffc000000000000000n) return 'indefinite';
    return (significand & (1n << 62n)) !== 0n ? `${sign}quiet NaN` : `${sign}signalling NaN`;
  }
  if (exponent !== 0 && (significand & INTEGER_BIT) === 0n) return 'unsupported';
  if (significand === 0n) return `${sign}0`;
  return sign + scaledText(significand, (exponent || 1) - 16446);
}

/** significand * 2^power in decimal, to 19 digits. */
function scaledText(significand: bigint, power: number): string {
  const bits = significand.toString(2).length + power;
  let decimal = Math.floor((bits - 1) * Math.LOG10E * Math.LN2);
  let digits = scaledDigits(significand, power, decimal);
  if (digits.length > DIGITS) digits = scaledDigits(significand, power, ++decimal);
  const trimmed = digits.replace(/0+$/, '');
  if (decimal >= DIGITS || decimal < -5) {
    const rest = trimmed.slice(1);
    return `${trimmed[0]}${rest === '' ? '' : `.${rest}`}e${decimal < 0 ? '' : '+'}${decimal}`;
  }
  if (decimal < 0) return `0.${'0'.repeat(-decimal - 1)}${trimmed}`;
  const whole = digits.slice(0, decimal + 1), fraction = trimmed.slice(decimal + 1);
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** The first 19 digits when the first one stands for 10^decimal; rounded to nearest. */
function scaledDigits(significand: bigint, power: number, decimal: number): string {
  const shift = DIGITS - 1 - decimal;
  let numerator = significand, denominator = 1n;
  if (power >= 0) numerator <<= BigInt(power);
  else denominator <<= BigInt(-power);
  if (shift >= 0) numerator *= 10n ** BigInt(shift);
  else denominator *= 10n ** BigInt(-shift);
  return ((numerator * 2n + denominator) / (denominator * 2n)).toString();
}

/** `4 KiB`, `1.5 MiB`. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0, value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return unit === 0 && bytes === 1 ? '1 byte' : `${text} ${units[unit]}`;
}

/** As the manuals write it: `3F8h`. */

/** Hexadecimal; negative numbers are addresses of the upper half of the 64-bit space. */
export const hexOf = (value: number | bigint, digits = 1): string =>
  (value < 0 ? BigInt.asUintN(64, BigInt(value)) : value).toString(16).padStart(digits, '0');
/** As people write it: `0C0FFEEh`. */
export const hexText = (value: number | bigint, digits = 1): string => `${hexOf(value, digits).toUpperCase()}h`;
/** A linear address as the CPU holds it (a signed number) without its sign. */
export const unsignedAddress = (address: number): bigint => BigInt.asUintN(64, BigInt(address));
