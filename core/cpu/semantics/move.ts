// Data movement, stack and flag transfers.
import {
  add, and, eq, eqz, extendU, geU, i32, i64, type I32, type I64, load64, or, select, shrU, store64, xor,
} from '../emit/expressions.ts';
import { CR4 } from '../state/cpuModels.ts';
import { FIELD, FLAG, RAX, RBP, RSP } from '../state/layout.ts';
import { narrow, type Semantics, type SemanticsContext, signedWide, truncate, unsignedWide } from './context.ts';
import { condition, carryFlag, overflowFlag, readEflags, setCarryOverflow, writeArithmeticFlags } from './flags.ts';

/** SDM 2B MOV. */
export const move: Semantics = (x, dst, src) => x.write(dst, x.read(src));

/** SDM 2B MOV r64, imm64. */
export const moveWideImmediate: Semantics = (x, dst) => x.write(dst, x.wideImmediate());

/** SDM 2B MOVZX. */
export const moveZeroExtended: Semantics = (x, dst, src) =>
  x.write(dst, dst.size === 64 ? unsignedWide(x.read(src), src.size) : x.read(src));

/** SDM 2B MOVSX. */
export const moveSignExtended: Semantics = (x, dst, src) =>
  x.write(dst, truncate(narrow(signedWide(x.read(src), src.size), dst.size), dst.size));

/** SDM 2A LEA. */
export const loadEffectiveAddress: Semantics = (x, dst) =>
  x.write(dst, truncate(narrow(x.effectiveAddress(), dst.size), dst.size));

/** SDM 2D XCHG. */
export const exchange: Semantics = (x, dst, src) => {
  const b = x.f.let(x.read(src)), a = x.update(dst);
  x.write(src, a);
  x.write(dst, b);
};

/** SDM 2A CMOVcc: the source is read in either case. */
export const conditionalMove =
  (code: number): Semantics =>
  (x, dst, src) => {
    const value = x.read(src);
    // A 32-bit destination loses its upper half either way.
    if (dst.size === 32) x.write(dst, select(condition(x, code), value, x.f.let(x.read(dst))));
    else x.f.if(condition(x, code), () => x.write(dst, value));
  };

/** SDM 2B SETcc. */
export const setByte =
  (code: number): Semantics =>
  (x, dst) =>
    x.write(dst, x.f.let(condition(x, code)));

/** SDM 2B PUSH. */
export const push: Semantics = (x, src) => {
  const value = x.f.let(x.read(src));
  x.push(value, x.size);
};

/** SDM 2B POP into a register: POP ESP ends with the value popped. */
export const popRegister: Semantics = (x, dst) => {
  const top = x.f.let(x.register(RSP, 64) as I64);
  const value = x.readStack(top, x.size);
  x.setStackPointer(add(top, i64(x.size / 8)));
  x.write(dst, value);
};

/** SDM 2A LEAVE: the frame pointer is read before anything changes. */
export const leave: Semantics = (x) => {
  const frame = x.f.let(x.register(RBP, 64) as I64);
  const value = x.readStack(frame, x.size);
  x.setStackPointer(add(frame, i64(x.size / 8)));
  x.setRegister(RBP, x.size, value);
};

/** SDM 2B SAHF. */
export const storeAh: Semantics = (x) => writeArithmeticFlags(x, x.highByte(RAX), false);

/** SDM 2A LAHF. */
export const loadAh: Semantics = (x) => x.setHighByte(RAX, x.f.let(and(readEflags(x), i32(0xff))));

/** SDM 2A CLC, CMC, STC. */
export const changeCarry =
  (to: 0 | 1 | 'complement'): Semantics =>
  (x) => {
    const overflow = x.f.let(overflowFlag(x));
    setCarryOverflow(x, to === 'complement' ? xor(carryFlag(x), i32(1)) : i32(to), overflow);
  };

/** SDM 2A CLD, STD. */
export const changeDirection =
  (to: 0 | 1): Semantics =>
  (x) =>
    x.setEflags(to === 0 ? and(x.eflags(), i32(~FLAG.DF)) : or(x.eflags(), i32(FLAG.DF)));

/** Whether CLI and STI are allowed: CPL <= IOPL (SDM 2A CLI). */
const interruptFlagAllowed = (x: SemanticsContext): I32 =>
  geU(and(shrU(x.eflags(), 12), i32(3)), x.field32(FIELD.cpl));

/** In ring 3 with CPL above IOPL: the CR4 bit that gives CLI a virtual flag to act on, zero without (SDM 3B 21.3.2, 21.4). */
const virtualFlagBit = (x: SemanticsContext): I32 => {
  const enable = select(and(x.eflags(), i32(FLAG.VM)), i32(CR4.VME), i32(CR4.PVI));
  return select(eq(x.field32(FIELD.cpl), i32(3)), and(x.field32(FIELD.cr4), enable), i32(0));
};

/** SDM 2A CLI. In virtual-8086 mode CPL is 3, so IOPL decides alike. */
export const clearInterruptFlag: Semantics = (x) => {
  // The one sensitive instruction that is no helper counts itself.
  const counter = x.f.let(add(x.cpu, select(eq(x.field32(FIELD.cpl), i32(3)), i32(8), i32(0))));
  x.f.do(store64(counter, add(load64(counter, FIELD.cliCounts), i64(1)), FIELD.cliCounts));
  x.f.if(
    interruptFlagAllowed(x),
    () => x.setEflags(and(x.eflags(), i32(~FLAG.IF))),
    () => {
      x.raiseIf(eqz(virtualFlagBit(x)), 13, 0);
      x.setEflags(and(x.eflags(), i32(~FLAG.VIF)));
    },
  );
};

/** SDM 2D XLAT. */
export const translateByte: Semantics = (x) => {
  // The decoder gives the address (E)BX; AL is added here and the sum wraps to the address size in readAt.
  x.setRegister(RAX, 8, x.readAt(add(x.effectiveAddress(), extendU(x.register(RAX, 8) as I32)), 8));
};

/** SDM 2B NOP. */
export const noOperation: Semantics = () => {};
