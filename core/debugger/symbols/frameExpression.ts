// DWARF expressions as far as call frame information uses them (DWARF 5 2.5, 6.4.2).
import { ByteReader } from './byteReader.ts';

/** Reads a value of guest memory; null: not mapped. */
export type FrameMemory = (address: bigint, bytes: 4 | 8) => bigint | null;

const MAX_STEPS = 1000;
const MAX_STACK = 64;

/** `initial` is pushed first: the frame's address, for expressions of registers. Throws a DebugError. */
export function evaluateFrameExpression(
  bytes: Uint8Array,
  registers: readonly (bigint | undefined)[],
  memory: FrameMemory,
  addressBytes: 4 | 8,
  initial: bigint | null,
): bigint {
  const reader = new ByteReader(bytes, 'frame expression');
  const stack: bigint[] = initial === null ? [] : [initial];
  const bits = addressBytes * 8;
  const pop = (): bigint => stack.pop() ?? reader.fail('an operand', 'an empty stack');
  const push = (value: bigint): void => {
    if (stack.length >= MAX_STACK) reader.fail(`a stack of at most ${MAX_STACK}`, 'a larger one');
    stack.push(BigInt.asUintN(bits, value));
  };
  const signed = (value: bigint): bigint => BigInt.asIntN(bits, value);
  const base = (register: number): bigint => registers[register] ?? reader.fail('a known register', `register ${register}`);
  const binary = (operate: (a: bigint, b: bigint) => bigint): void => {
    const b = pop(), a = pop();
    push(operate(a, b));
  };
  for (let steps = 0; !reader.atEnd; steps++) {
    if (steps >= MAX_STEPS) reader.fail(`at most ${MAX_STEPS} steps`, 'more');
    const opcode = reader.u8();
    if (opcode >= 0x30 && opcode <= 0x4f) push(BigInt(opcode - 0x30));
    else if (opcode >= 0x70 && opcode <= 0x8f) push(base(opcode - 0x70) + reader.sleb());
    else switch (opcode) {
      case 0x03: push(reader.word(addressBytes)); break;
      case 0x06: push(memory(pop(), addressBytes) ?? reader.fail('mapped memory', 'none')); break;
      case 0x08: push(BigInt(reader.u8())); break;
      case 0x09: push(BigInt(reader.i8())); break;
      case 0x0a: push(BigInt(reader.u16())); break;
      case 0x0b: push(BigInt.asIntN(16, BigInt(reader.u16()))); break;
      case 0x0c: push(BigInt(reader.u32())); break;
      case 0x0d: push(BigInt.asIntN(32, BigInt(reader.u32()))); break;
      case 0x0e: case 0x0f: push(reader.u64()); break;
      case 0x10: push(reader.uleb()); break;
      case 0x11: push(reader.sleb()); break;
      case 0x12: { const top = pop(); push(top); push(top); break; }
      case 0x13: pop(); break;
      case 0x14: push(stack.at(-2) ?? reader.fail('two operands', 'fewer')); break;
      case 0x16: { const b = pop(), a = pop(); push(b); push(a); break; }
      case 0x1a: binary((a, b) => a & b); break;
      case 0x1c: binary((a, b) => a - b); break;
      case 0x1e: binary((a, b) => a * b); break;
      case 0x1f: push(-pop()); break;
      case 0x20: push(~pop()); break;
      case 0x21: binary((a, b) => a | b); break;
      case 0x22: binary((a, b) => a + b); break;
      case 0x23: push(pop() + reader.uleb()); break;
      case 0x24: binary((a, b) => (b >= BigInt(bits) ? 0n : a << b)); break;
      case 0x25: binary((a, b) => (b >= BigInt(bits) ? 0n : a >> b)); break;
      case 0x26: binary((a, b) => signed(a) >> (b >= BigInt(bits) ? BigInt(bits - 1) : b)); break;
      case 0x27: binary((a, b) => a ^ b); break;
      case 0x28: { const distance = BigInt.asIntN(16, BigInt(reader.u16())); if (pop() !== 0n) jump(reader, distance); break; }
      case 0x29: binary((a, b) => (a === b ? 1n : 0n)); break;
      case 0x2a: binary((a, b) => (signed(a) >= signed(b) ? 1n : 0n)); break;
      case 0x2b: binary((a, b) => (signed(a) > signed(b) ? 1n : 0n)); break;
      case 0x2c: binary((a, b) => (signed(a) <= signed(b) ? 1n : 0n)); break;
      case 0x2d: binary((a, b) => (signed(a) < signed(b) ? 1n : 0n)); break;
      case 0x2e: binary((a, b) => (a === b ? 0n : 1n)); break;
      case 0x2f: jump(reader, BigInt.asIntN(16, BigInt(reader.u16()))); break;
      case 0x92: { const register = reader.ulebNumber(); push(base(register) + reader.sleb()); break; }
      case 0x96: break;
      default: reader.fail('an operation of a frame expression', `${opcode.toString(16)}h`);
    }
  }
  return pop();
}

function jump(reader: ByteReader, distance: bigint): void {
  const target = reader.position + Number(distance);
  if (target < 0 || target > reader.end) reader.fail('a jump inside the expression', `one to ${target}`);
  reader.position = target;
}
