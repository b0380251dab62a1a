// Moves, shuffles, inserts and extracts (SDM 2A, 2B).
import {
  add, and, extendU, gtU, i32, type I32, i64, type I64, load16U, load32, load64, load8U, select, shl, shrU, store16, store32, store64, store8, sub,
} from '../../emit/expressions.ts';
import {
  i64x2, i8x16, load128, load16Lane, load32Lane, load64Lane, load64Zero, shuffle, store128, v128, type V128, vector, zeroVector,
} from '../../emit/vectors.ts';
import { FIELD, RDI } from '../../state/layout.ts';
import type { Operand, Semantics, Size, Value } from '../context.ts';
import {
  enterMmx, fieldOf, type File, readVector, registerAt, requireBoth, requireMmx, requireSse, vectorial, type VectorContext, writeRegister, writeVector,
} from './context.ts';

const requireFile = (x: VectorContext, file: File): void => (file === 'xmm' ? requireSse(x) : requireMmx(x));
const MEMORY_64: Operand = { kind: 'memory', size: 64 };

/** MOVAPS, MOVUPS, MOVDQA, MOVDQU, MOVNTPS, LDDQU: 16 bytes. */
export const move128 = (isAligned: boolean): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    writeVector(x, dst, 'xmm', readVector(x, src, 'xmm', 16, isAligned), 16, isAligned);
  });

/** MOVSD, MOVSS: from memory zeros above, between registers the rest stays. */
export const moveScalar = (bytes: 4 | 8): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const value = readVector(x, src, 'xmm', bytes);
    if (src.kind === 'memory') writeRegister(x, dst, 'xmm', value);
    else writeVector(x, dst, 'xmm', value, bytes);
  });
/** MOVQ xmm, xmm/m64, and to a register: zeros above. */
export const moveQuadword: Semantics = vectorial((x, dst, src) => {
  requireSse(x);
  const value = readVector(x, src, 'xmm', 8);
  if (dst.kind === 'memory') writeVector(x, dst, 'xmm', value, 8);
  else writeRegister(x, dst, 'xmm', value);
});
/** MOVQ between MMX registers and memory; MOVNTQ. */
export const moveMmx: Semantics = vectorial((x, dst, src) => {
  requireMmx(x);
  const value = readVector(x, src, 'mmx');
  if (dst.kind === 'memory') writeVector(x, dst, 'mmx', value, 8);
  enterMmx(x);
  if (dst.kind !== 'memory') writeRegister(x, dst, 'mmx', value);
});

/** MOVD, MOVQ from a general register or memory: zeros above. */
export const moveFromGeneral = (file: File): Semantics =>
  vectorial((x, dst, src) => {
    requireFile(x, file);
    const value = x.read(src);
    if (file === 'mmx') enterMmx(x);
    const low = src.size === 64 ? (value as I64) : extendU(value as I32);
    writeRegister(x, dst, file, i64x2.replace(zeroVector, 0, low));
  });
/** MOVD, MOVQ to a general register or memory. */
export const moveToGeneral = (file: File): Semantics =>
  vectorial((x, dst, src) => {
    requireFile(x, file);
    const at = registerAt(x, src, file);
    const value = dst.size === 64 ? load64(at, fieldOf(file)) : load32(at, fieldOf(file));
    x.write(dst, value);
    if (file === 'mmx') enterMmx(x);
  });

/** MOVLPS, MOVHPS and their double forms: one half from memory, or to it. `half` is 0 or 8. */
export const loadHalf = (half: 0 | 8): Semantics =>
  vectorial((x, dst) => {
    requireSse(x);
    const value = x.read(MEMORY_64) as I64;
    x.f.do(store64(registerAt(x, dst, 'xmm'), value, FIELD.xmm + half));
  });
export const storeHalf = (half: 0 | 8): Semantics =>
  vectorial((x, _dst, src) => {
    requireSse(x);
    x.write(MEMORY_64, load64(registerAt(x, src, 'xmm'), FIELD.xmm + half));
  });
/** MOVHLPS, MOVLHPS: a half of the source's to the other half of the destination. */
export const moveHalf = (from: 0 | 8, to: 0 | 8): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    x.f.do(store64(registerAt(x, dst, 'xmm'), load64(registerAt(x, src, 'xmm'), FIELD.xmm + from), FIELD.xmm + to));
  });
/** MOVLPS or MOVHLPS, by ModRM. */
export const loadOrMoveHalf = (to: 0 | 8): Semantics => {
  const fromMemory = loadHalf(to), fromRegister = moveHalf(to === 0 ? 8 : 0, to);
  return (x, dst, src) => (src.kind === 'memory' ? fromMemory : fromRegister)(x, dst, src);
};
/** MOVDQ2Q and MOVQ2DQ. */
export const moveToMmx: Semantics = vectorial((x, dst, src) => {
  requireBoth(x);
  enterMmx(x);
  writeRegister(x, dst, 'mmx', readVector(x, src, 'xmm', 8));
});
export const moveFromMmx: Semantics = vectorial((x, dst, src) => {
  requireBoth(x);
  enterMmx(x);
  writeRegister(x, dst, 'xmm', readVector(x, src, 'mmx'));
});
/** MOVDDUP, MOVSLDUP, MOVSHDUP: a shuffle of the source alone. */
export const rearrange = (lanes: readonly number[], bytes: 8 | 16): Semantics =>
  vectorial((x, dst, src) => {
    requireSse(x);
    const value = readVector(x, src, 'xmm', bytes);
    writeRegister(x, dst, 'xmm', shuffle(value, value, lanes));
  });

/** MOVNTI. */
export const moveGeneral: Semantics = (x, dst, src) => x.write(dst, x.read(src));

/** Two bits of the immediate, times the bytes of an element. */
const selected = (x: VectorContext, lane: number, bytes: number): I32 =>
  shl(and(shrU(x.immediate(), lane * 2), i32(3)), Math.log2(bytes));
/** Address where a value is put so that its elements can be picked. */
function spill(x: VectorContext, value: V128, place: number): I32 {
  x.f.do(store128(x.cpu, value, FIELD.scratch + place));
  return add(x.cpu, i32(FIELD.scratch + place));
}
/** SDM 2B PSHUFD. */
export const shuffleDoublewords: Semantics = vectorial((x, dst, src) => {
  requireSse(x);
  const at = x.f.let(spill(x, readVector(x, src, 'xmm'), 0));
  let result = zeroVector;
  for (let lane = 0; lane < 4; lane++) result = load32Lane(add(at, selected(x, lane, 4)), x.f.let(result), lane);
  writeRegister(x, dst, 'xmm', result);
});
/** PSHUFLW (0), PSHUFHW (8), PSHUFW. */
export const shuffleWords = (half: 0 | 8, file: File): Semantics =>
  vectorial((x, dst, src) => {
    requireFile(x, file);
    const value = readVector(x, src, file);
    if (file === 'mmx') enterMmx(x);
    const at = x.f.let(spill(x, value, 0));
    let result = value;
    for (let lane = 0; lane < 4; lane++) result = x.f.let(load16Lane(add(at, selected(x, lane, 2)), result, lane + half / 2, half));
    writeRegister(x, dst, file, result);
  });
/** SDM 2B SHUFPS: two elements of the destination, two of the source. */
export const shuffleSingles: Semantics = vectorial((x, dst, src) => {
  requireSse(x);
  const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
  const first = x.f.let(spill(x, a, 0)), second = x.f.let(spill(x, b, 16));
  let result = zeroVector;
  for (let lane = 0; lane < 4; lane++) {
    result = x.f.let(load32Lane(add(lane < 2 ? first : second, selected(x, lane, 4)), result, lane));
  }
  writeRegister(x, dst, 'xmm', result);
});
/** SDM 2B SHUFPD. */
export const shuffleDoubles: Semantics = vectorial((x, dst, src) => {
  requireSse(x);
  const b = readVector(x, src, 'xmm'), a = readVector(x, dst, 'xmm');
  const first = x.f.let(spill(x, a, 0)), second = x.f.let(spill(x, b, 16));
  const pick = (bit: number): I32 => shl(and(shrU(x.immediate(), bit), i32(1)), 3);
  writeRegister(x, dst, 'xmm', load64Lane(add(second, pick(1)), x.f.let(load64Zero(add(first, pick(0)))), 1));
});

const immediateByte = (x: VectorContext): I32 => and(x.immediate(), i32(0xff));
const atMost = (x: VectorContext, limit: number): I32 => {
  const count = x.f.let(immediateByte(x));
  return select(gtU(count, i32(limit)), i32(limit), count);
};
/** SDM 2B PALIGNR: both operands as one value, the destination above. */
export const alignRight = (file: File): Semantics =>
  vectorial((x, dst, src) => {
    requireFile(x, file);
    const bytes = file === 'xmm' ? 16 : 8;
    const b = readVector(x, src, file), a = readVector(x, dst, file);
    if (file === 'mmx') enterMmx(x);
    spill(x, zeroVector, 2 * bytes);
    spill(x, a, bytes);
    if (file === 'mmx') x.f.do(store64(x.cpu, i64x2.extract(b, 0), FIELD.scratch));
    else spill(x, b, 0);
    const at = add(x.cpu, atMost(x, 2 * bytes));
    writeRegister(x, dst, file, file === 'xmm' ? load128(at, FIELD.scratch) : load64Zero(at, FIELD.scratch));
  });
/** PSLLDQ, PSRLDQ. */
export const shiftBytes = (isLeft: boolean): Semantics =>
  vectorial((x, dst) => {
    requireSse(x);
    const value = readVector(x, dst, 'xmm');
    spill(x, zeroVector, isLeft ? 0 : 16);
    spill(x, value, isLeft ? 16 : 0);
    const count = atMost(x, 16);
    const at = add(x.cpu, isLeft ? sub(i32(16), count) : count);
    writeRegister(x, dst, 'xmm', load128(at, FIELD.scratch));
  });
/** PINSRB, PINSRW, PINSRD, PINSRQ: an element of the destination by the immediate. */
export const insert = (bytes: 1 | 2 | 4 | 8 | 'y', file: File): Semantics =>
  vectorial((x, dst, src) => {
    requireFile(x, file);
    const width = bytes === 'y' ? x.size / 8 : bytes;
    const value = readElement(x, src, width);
    if (file === 'mmx') enterMmx(x);
    const place = and(x.immediate(), i32((file === 'xmm' ? 16 : 8) / width - 1));
    const at = x.f.let(add(registerAt(x, dst, file), shl(place, Math.log2(width))));
    const field = fieldOf(file);
    if (width === 1) x.f.do(store8(at, value as I32, field));
    else if (width === 2) x.f.do(store16(at, value as I32, field));
    else if (width === 4) x.f.do(store32(at, value as I32, field));
    else x.f.do(store64(at, value as I64, field));
    if (file === 'mmx') x.f.do(store16(registerAt(x, dst, file), i32(0xffff), field + 8));
  });
function readElement(x: VectorContext, src: Operand, width: number): Value {
  if (src.kind === 'memory') return x.read({ kind: 'memory', size: (width * 8) as Size });
  return x.read({ kind: src.kind, size: width === 8 ? 64 : 32 });
}
/** PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: to a general register zero-extended, or to memory. */
export const extract = (bytes: 1 | 2 | 4 | 'y', file: File): Semantics =>
  vectorial((x, dst, src) => {
    requireFile(x, file);
    const width = bytes === 'y' ? x.size / 8 : bytes;
    const place = and(x.immediate(), i32((file === 'xmm' ? 16 : 8) / width - 1));
    const at = x.f.let(add(registerAt(x, src, file), shl(place, Math.log2(width))));
    const field = fieldOf(file);
    const value = width === 1 ? load8U(at, field) : width === 2 ? load16U(at, field) : width === 4 ? load32(at, field) : load64(at, field);
    const size = dst.kind === 'memory' ? ((width * 8) as Size) : width === 8 ? 64 : 32;
    x.write({ kind: dst.kind, size }, value);
    if (file === 'mmx') enterMmx(x);
  });
/** SDM 2A INSERTPS. */
export const insertSingle: Semantics = vectorial((x, dst, src) => {
  const { f } = x;
  requireSse(x);
  const control = f.let(x.immediate());
  let value: I32;
  if (src.kind === 'memory') value = x.read({ kind: 'memory', size: 32 }) as I32;
  else value = f.let(load32(add(registerAt(x, src, 'xmm'), shl(and(shrU(control, 6), i32(3)), 2)), FIELD.xmm));
  const target = registerAt(x, dst, 'xmm');
  f.do(store32(add(target, shl(and(shrU(control, 4), i32(3)), 2)), value, FIELD.xmm));
  const bits = vector([1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8]);
  const cleared = i8x16.eq(v128.and(i8x16.splat(control), bits), bits);
  f.do(store128(target, v128.andnot(load128(target, FIELD.xmm), cleared), FIELD.xmm));
});

/** SDM 2A MASKMOVDQU, MASKMOVQ: bytes whose mask has its sign bit, at DS:rDI; each is written by itself. */
export const maskedStore = (file: File): Semantics =>
  vectorial((x, dst, src) => {
    const { f } = x;
    requireFile(x, file);
    const count = file === 'xmm' ? 16 : 8;
    const mask = f.let(i8x16.bitmask(readVector(x, src, file)));
    const base = registerAt(x, dst, file);
    // The segment and address size are the record's; its registers are no address.
    x.f.drop(x.effectiveAddress());
    // All pages are asked before anything is written.
    for (const isProbe of [true, false]) {
      for (let byte = 0; byte < count; byte++) {
        f.if(and(mask, i32(1 << byte)), () => {
          const address = f.let(add(x.register(RDI, 64) as I64, i64(byte)));
          if (isProbe) x.probeWrite(address, 8);
          else x.writeAt(address, 8, load8U(base, fieldOf(file) + byte));
        });
      }
    }
    if (file === 'mmx') enterMmx(x);
  });
/** EMMS: empties the x87's registers. */
export const emptyMmx: Semantics = (x) => {
  requireMmx(x);
  enterMmx(x);
  x.setField32(FIELD.fpTags, i32(0));
};
/** LFENCE, MFENCE, SFENCE, CLFLUSH, prefetches: one CPU sees its memory in order. */
export const fence: Semantics = () => {};
/** CLFLUSH: faults as a byte read does. */
export const touch: Semantics = (x) => x.f.drop(x.read({ kind: 'memory', size: 8 }));
