// String instructions (SDM 2 MOVS, STOS, LODS, SCAS, CMPS), with and without REP.
//
// Each turn of the handler does one piece: a run inside one page of each operand, as a bulk operation where the TLB allows
// it, or a bounded number of elements. It then asks to be dispatched again, so that interrupts come in between with the
// registers exact (SDM 2B REP: the state of an interrupted string instruction is that between two iterations). A turn counts
// as an instruction, so where it ends follows from the registers alone, never from what the TLB holds.
import {
  add, and, copyMemory, divU, eq, eqz, extendU, fillMemory, gtU, i32, i64, type I32, type I64, ltU, mul, ne, or, select,
  sub, wrap, xor,
} from '../emit/expressions.ts';
import type { Local } from '../emit/functionBuilder.ts';
import { ARMED, FIELD, FLAG, RAX, RCX, RDI, RSI } from '../state/layout.ts';
import { narrow, type SemanticsContext, type Size, truncate, typeOf, type Value } from './context.ts';
import { subFlags } from './flags.ts';

/** What string semantics need beyond the ordinary context. */
export interface StringContext extends SemanticsContext {
  /** Address-size mask of the instruction. */
  addressMask(): I64;
  /** Access through the instruction's source segment (DS or an override). */
  readSource(address: I64, size: Size): Value;
  readTarget(address: I64, size: Size): Value;
  writeTarget(address: I64, size: Size, value: Value): void;
  /** Host address of a run of `bytes` from an address if the TLB allows it without a look, else 0. */
  hostRun(which: 'source' | 'target', address: I64, bytes: I32): I32;
  /** Leaves the handler to be dispatched again with the same record. */
  again(): void;
}

export type StringSemantics = (x: StringContext) => void;
export type Repeat = 'none' | 'while-equal' | 'while-not-equal';

/** Elements per turn when they are done one by one. */
const ELEMENTS_PER_TURN = 256;

interface Registers {
  readonly mask: I64;
  readonly step: I64;
}

function registers(x: StringContext): Registers {
  const mask = x.f.let(x.addressMask());
  const bytes = x.size / 8;
  const step = x.f.let(select(and(x.eflags(), i32(FLAG.DF)), i64(-bytes), i64(bytes)));
  return { mask, step };
}

const pointer = (x: StringContext, index: number, mask: I64): I64 => x.f.let(and(x.register(index, 64) as I64, mask));

function setPointer(x: StringContext, index: number, mask: I64, value: I64): void {
  const kept = and(x.register(index, 64) as I64, xor(mask, i64(-1)));
  x.setRegister(index, 64, or(kept, and(value, mask)));
}

/**
 * Runs `element` once, or up to CX times, at most `limit` a turn; `stop` ends a repetition early after the element. `finish` follows the last one: flags
 * change with the whole instruction, so that a fault leaves them as they were before it (SDM 2B REP).
 */
function repeated(
  x: StringContext, repeat: Repeat, r: Registers, element: () => void, limit: I32, stop?: () => I32, finish: () => void = () => {},
): void {
  if (repeat === 'none') {
    element();
    finish();
    return;
  }
  const { f } = x;
  const turns = f.local('i32');
  // Traps follow each iteration (SDM 3B 17.3.1.4).
  const traps = or(and(x.eflags(), i32(FLAG.TF)), and(x.field32(FIELD.breakpointsArmed), i32(ARMED.breakpoints)));
  f.set(turns, select(traps, i32(1), limit));
  const exhausted = (): I32 => eqz(and(x.register(RCX, 64) as I64, r.mask));
  f.block((empty) => {
    f.brIf(empty, exhausted());
    f.block((done) => {
      f.loop((next) => {
        element();
        setPointer(x, RCX, r.mask, sub(x.register(RCX, 64) as I64, i64(1)));
        if (stop) f.brIf(done, stop());
        f.brIf(done, exhausted());
        f.set(turns, sub(turns, i32(1)));
        f.brIf(next, turns);
      });
      x.again();
    });
    finish();
  });
}

/** Bytes from `address` to the end of its page, going up. */
const toPageEnd = (address: I64): I32 => sub(i32(0x1000), and(wrap(address), i32(0xfff)));

/** The count of a bulk run of whole elements: CX, cut to what fits the pages. Zero: do it one by one. */
function runLength(x: StringContext, r: Registers, bytesLeft: I32): Local<'i32'> {
  const { f } = x;
  const count = f.local('i32');
  const fits = f.let(divU(bytesLeft, i32(x.size / 8)));
  const wanted = f.let(and(x.register(RCX, 64) as I64, r.mask));
  f.set(count, select(gtU(wanted, extendU(fits)), fits, wrap(wanted)));
  return count;
}

const atLeastOne = (count: I32): I32 => select(count, count, i32(1));
const smaller = (a: I32, b: I32): I32 => select(ltU(a, b), a, b);

/** Advances pointers and counter by a bulk run and comes back for the rest. */
function finishRun(x: StringContext, r: Registers, pointers: readonly [number, I64][], count: I32): void {
  const { f } = x;
  const bytes = f.let(extendU(mul(count, i32(x.size / 8))));
  for (const [index, from] of pointers) setPointer(x, index, r.mask, add(from, bytes));
  setPointer(x, RCX, r.mask, sub(x.register(RCX, 64) as I64, extendU(count)));
  f.if(ne(and(x.register(RCX, 64) as I64, r.mask), i64(0)), () => x.again());
}

/** SDM 2B MOVS. */
export const moveString =
  (repeat: Repeat): StringSemantics =>
  (x) => {
    const { f } = x;
    const r = registers(x);
    const element = (): void => {
      const from = pointer(x, RSI, r.mask), to = pointer(x, RDI, r.mask);
      x.writeTarget(to, x.size, x.readSource(from, x.size));
      setPointer(x, RSI, r.mask, add(from, r.step));
      setPointer(x, RDI, r.mask, add(to, r.step));
    };
    if (repeat === 'none') {
      element();
      return;
    }
    const limit = f.local('i32');
    f.set(limit, i32(ELEMENTS_PER_TURN));
    f.block((bulkDone) => {
      f.block((single) => {
        f.brIf(single, and(x.eflags(), i32(FLAG.DF | FLAG.TF)));
        const from = pointer(x, RSI, r.mask), to = pointer(x, RDI, r.mask);
        const count = runLength(x, r, f.let(smaller(f.let(toPageEnd(from)), f.let(toPageEnd(to)))));
        f.set(limit, atLeastOne(count));
        f.brIf(single, ltU(count, i32(2)));
        const bytes = f.let(mul(count, i32(x.size / 8)));
        const target = x.hostRun('target', to, bytes);
        f.brIf(single, eqz(target));
        const source = x.hostRun('source', from, bytes);
        f.brIf(single, eqz(source));
        // A target just above its source repeats what was copied: not what a buffered copy does.
        f.brIf(single, ltU(sub(target, source), bytes));
        f.do(copyMemory(target, source, bytes));
        finishRun(x, r, [[RSI, from], [RDI, to]], count);
        f.br(bulkDone);
      });
      repeated(x, repeat, r, element, limit);
    });
  };

/** SDM 2B STOS. */
export const storeString =
  (repeat: Repeat): StringSemantics =>
  (x) => {
    const { f } = x;
    const r = registers(x);
    const element = (): void => {
      const to = pointer(x, RDI, r.mask);
      x.writeTarget(to, x.size, x.register(RAX, x.size));
      setPointer(x, RDI, r.mask, add(to, r.step));
    };
    if (repeat === 'none') {
      element();
      return;
    }
    const limit = f.local('i32');
    f.set(limit, i32(ELEMENTS_PER_TURN));
    f.block((bulkDone) => {
      f.block((single) => {
        f.brIf(single, and(x.eflags(), i32(FLAG.DF | FLAG.TF)));
        const to = pointer(x, RDI, r.mask);
        const count = runLength(x, r, f.let(toPageEnd(to)));
        f.set(limit, atLeastOne(count));
        const low = f.let(and(x.register(RAX, 32) as I32, i32(0xff)));
        if (x.size !== 8) {
          // Only a value of equal bytes, zero above all, is a fill.
          const spread = mul(extendU(low), i64(0x0101010101010101n));
          f.brIf(single, ne(truncate(narrow(spread, x.size), x.size), x.register(RAX, x.size)));
        }
        f.brIf(single, ltU(count, i32(2)));
        const bytes = f.let(mul(count, i32(x.size / 8)));
        const target = x.hostRun('target', to, bytes);
        f.brIf(single, eqz(target));
        f.do(fillMemory(target, low, bytes));
        finishRun(x, r, [[RDI, to]], count);
        f.br(bulkDone);
      });
      repeated(x, repeat, r, element, limit);
    });
  };

/** SDM 2B LODS. */
export const loadString =
  (repeat: Repeat): StringSemantics =>
  (x) => {
    const r = registers(x);
    repeated(x, repeat, r, () => {
      const from = pointer(x, RSI, r.mask);
      x.setRegister(RAX, x.size, x.readSource(from, x.size));
      setPointer(x, RSI, r.mask, add(from, r.step));
    }, i32(ELEMENTS_PER_TURN));
  };

/** The comparison's operands: kept for the flags at the end. */
function comparison(x: StringContext, repeat: Repeat): { set(a: Value, b: Value): void; stop(): I32; flags(): void } {
  const { f } = x;
  const a = f.local(typeOf(x.size)), b = f.local(typeOf(x.size));
  return {
    set: (first, second) => {
      f.set(a, first);
      f.set(b, second);
    },
    stop: () => (repeat === 'while-equal' ? ne(a, b) : eq(a, b)),
    flags: () => subFlags(x, a, b, f.let(truncate(sub(a, b), x.size)), x.size),
  };
}

/** SDM 2B SCAS: accumulator - ES:[DI]. */
export const scanString =
  (repeat: Repeat): StringSemantics =>
  (x) => {
    const r = registers(x);
    const compared = comparison(x, repeat);
    const element = (): void => {
      const to = pointer(x, RDI, r.mask);
      compared.set(x.register(RAX, x.size), x.readTarget(to, x.size));
      setPointer(x, RDI, r.mask, add(to, r.step));
    };
    repeated(x, repeat, r, element, i32(ELEMENTS_PER_TURN), compared.stop, compared.flags);
  };

/** SDM 2A CMPS: DS:[SI] - ES:[DI]. */
export const compareString =
  (repeat: Repeat): StringSemantics =>
  (x) => {
    const r = registers(x);
    const compared = comparison(x, repeat);
    const element = (): void => {
      const from = pointer(x, RSI, r.mask), to = pointer(x, RDI, r.mask);
      // Silicon reads the target first: where both fault, that is what the fault tells of.
      const b = x.f.let(x.readTarget(to, x.size));
      compared.set(x.readSource(from, x.size), b);
      setPointer(x, RSI, r.mask, add(from, r.step));
      setPointer(x, RDI, r.mask, add(to, r.step));
    };
    repeated(x, repeat, r, element, i32(ELEMENTS_PER_TURN), compared.stop, compared.flags);
  };
