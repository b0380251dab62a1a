// Compares a case on our CPU with what silicon did; tells people how they differ.
import {
  type Bitness, CODE_BASE, DATA_BASE, type OracleResult, PIECE, type RecordedCase, READ_ONLY, RESULT, STATE,
} from './caseFormat.ts';
import type { Mode, OracleEngine } from './engine.ts';
import { type Decoded, decode } from './generator.ts';
import { type Ignored, ignoredOf, isOutOfRange } from './policy.ts';

const REGISTERS_64 = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const hex = (value: number | bigint): string => value.toString(16);

export const bitnessOf = (mode: Mode): Bitness => (mode === '64-bit' ? 64 : 32);

/** A result's comparable parts in words: name and value. */
function parts(bytes: Uint8Array, bitness: Bitness): Map<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<string, string>();
  const count = bitness === 64 ? 16 : 8;
  const vector = view.getUint32(RESULT.vector, true);
  found.set('vector', String(vector));
  found.set('error', hex(view.getUint32(RESULT.error, true)));
  found.set('cr2', hex(view.getBigUint64(RESULT.cr2, true)));
  found.set('rip', hex(view.getBigUint64(STATE.rip, true)));
  found.set('flags', hex(view.getUint32(STATE.flags, true)));
  for (let register = 0; register < count; register++) {
    found.set(REGISTERS_64[register], hex(view.getBigUint64(STATE.gpr + register * 8, true)));
  }
  found.set('mxcsr', hex(view.getUint32(STATE.mxcsr, true)));
  found.set('fcw', hex(view.getUint16(STATE.control, true)));
  found.set('fsw', hex(view.getUint16(STATE.status, true)));
  found.set('ftw', hex(bytes[STATE.tags]));
  for (let register = 0; register < 8; register++) {
    const at = STATE.st + register * 16;
    found.set(`fpr${register}`, `${hex(view.getUint16(at + 8, true)).padStart(4, '0')}.${hex(view.getBigUint64(at, true)).padStart(16, '0')}`);
  }
  for (let register = 0; register < count; register++) {
    const at = STATE.xmm + register * 16;
    found.set(`xmm${register}`, `${hex(view.getBigUint64(at + 8, true)).padStart(16, '0')}_${hex(view.getBigUint64(at, true)).padStart(16, '0')}`);
  }
  if (bitness === 32) SEGMENTS.forEach((name, index) => found.set(name, hex(view.getUint16(RESULT.segments + index * 2, true))));
  return found;
}

function sameRange(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (a[at] !== b[at]) return false;
  return true;
}

const SEGMENT_END = RESULT.segments + 12;

/** Whether our last case left exactly what silicon did. */
function isSame(engine: OracleEngine, expected: OracleResult, wanted: Uint8Array): boolean {
  const ours = engine.result;
  return (
    sameRange(ours, expected.bytes, 0, STATE.codeLength) && sameRange(ours, expected.bytes, STATE.st, RESULT.segments) &&
    (engine.mode === '64-bit' || sameRange(ours, expected.bytes, RESULT.segments, SEGMENT_END)) &&
    Buffer.compare(engine.data, wanted) === 0
  );
}

const wantedData = new Uint8Array(READ_ONLY);

/** Runs a case and compares. Null: no difference outside what is undefined; else the differing parts. */
export function difference(engine: OracleEngine, { input, result }: RecordedCase, translated = false): string[] | null {
  engine.run(input.bytes, translated);
  wantedData.set(engine.before);
  for (const change of result.changes) wantedData[change >>> 8] = change & 0xff;
  if (isSame(engine, result, wantedData)) return null;
  const bitness = bitnessOf(engine.mode);
  const found = decodeCase(input.bytes, bitness);
  const ignored = ignoredOf(found, input.bytes, result.bytes);
  const defined = !isOutOfRange(found.mnemonic, input.bytes);
  found.free();
  if (!defined) return null;
  const differences = stateDifferences(engine.result, result.bytes, bitness, ignored);
  const memory = memoryDifferences(engine, ignored);
  if (memory !== '') differences.push(memory);
  return differences.length === 0 ? null : differences;
}

function stateDifferences(ours: Uint8Array, theirs: Uint8Array, bitness: Bitness, ignored: Ignored): string[] {
  const expected = parts(theirs, bitness), got = parts(ours, bitness);
  const differences: string[] = [];
  for (const [name, value] of expected) {
    const other = got.get(name)!;
    if (value === other || ignored.parts.has(name)) continue;
    if (name === 'flags' && ((parseInt(value, 16) ^ parseInt(other, 16)) & ~ignored.flags) === 0) continue;
    if (name === 'fsw' && ((parseInt(value, 16) ^ parseInt(other, 16)) & ~ignored.status) === 0) continue;
    if (name.startsWith('fpr') && ignored.ulps > 0n && ulps(value, other) <= ignored.ulps) continue;
    differences.push(`${name}: expected ${value}, got ${other}`);
  }
  return differences;
}

/** Distance of two 80-bit values in units of the last place. */
function ulps(a: string, b: string): bigint {
  const ordinal = (text: string): bigint => {
    const [high, low] = text.split('.').map((part) => BigInt(`0x${part}`));
    const magnitude = ((high & 0x7fffn) << 63n) + (low & ((1n << 63n) - 1n));
    return (high & 0x8000n) === 0n ? magnitude : -magnitude;
  };
  const distance = ordinal(a) - ordinal(b);
  return distance < 0n ? -distance : distance;
}

function memoryDifferences(engine: OracleEngine, ignored: Ignored): string {
  const { data } = engine;
  const words: string[] = [];
  for (let offset = 0; offset < READ_ONLY; offset++) {
    if (data[offset] === wantedData[offset]) continue;
    if (ignored.memory.some(([from, to]) => offset >= from && offset < to)) continue;
    words.push(`${hex(DATA_BASE + offset)}: ${hex(wantedData[offset])}/${hex(data[offset])}`);
  }
  return words.length === 0 ? '' : `memory (expected/got): ${words.slice(0, 32).join(' ')}`;
}

export function decodeCase(input: Uint8Array, bitness: Bitness): Decoded {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const code = input.slice(STATE.code, STATE.code + Math.max(1, input[STATE.codeLength]));
  return decode(code, bitness, view.getUint32(STATE.rip, true));
}

/** A case for people: text, bytes, input. */
export function describeCase(input: Uint8Array, bitness: Bitness): string {
  const found = decodeCase(input, bitness);
  const text = found.valid ? found.instruction.toString() : '(undefined)';
  found.free();
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const code = [...input.slice(STATE.code, STATE.code + input[STATE.codeLength])].map((byte) => hex(byte).padStart(2, '0')).join(' ');
  const shown = [...parts(Uint8Array.from([...input.subarray(0, STATE.bytes), ...new Uint8Array(RESULT.bytes - STATE.bytes)]), bitness)]
    .filter(([name]) => !['vector', 'error', 'cr2', ...SEGMENTS].includes(name))
    .map(([name, value]) => `${name}=${value}`);
  const memory = Array.from({ length: input[STATE.pieces] }, (_, piece) => {
    const at = STATE.bytes + piece * PIECE.size;
    const bytes = [...input.slice(at + PIECE.bytes, at + PIECE.bytes + 64)].map((byte) => hex(byte).padStart(2, '0')).join('');
    return `    ${hex(DATA_BASE + view.getUint32(at, true))}: ${bytes}`;
  });
  return [`${text}   [${code}] at ${hex(view.getUint32(STATE.rip, true))} (code ${hex(CODE_BASE)})`, `    ${shown.join(' ')}`, ...memory].join('\n');
}
