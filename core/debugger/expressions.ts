// Expressions over registers, memory and symbols: conditions, addresses, log texts.
//
//   number      12 (decimal), 0x12, 12h, 0n12345678 (decimal for sure); digits that begin with 0, exactly 8 or 16 digits
//               (an address as lists print it) and digits with letters a..f are hexadecimal: 80105d52, 00100000, 1f
//   name        a register (eax, $eax, cs.base, eflags.zf, cr0.pg), else a symbol, else a hexadecimal number (dead, fffh);
//               'a.b' in quotes is a symbol for sure, $eax a register
//   memory      [expr] of the size of an address; byte, word, dword, qword before it; u8(expr) .. u64, s8 .. s64 as calls;
//               phys before it: a physical address; [es:edi] and es:edi with a segment register, f000:fff0 in real mode
//   operators   by falling precedence: unary - ~ !  * / %  + -  << >>  &  ^  |  < <= > >=  == !=  &&  ||  ?:
//               as in C, except that & ^ | bind tighter than comparisons: `eflags & 200h == 0` asks what it seems to ask
//
// Values are integers without a width, so that nothing is cut off on the way; `==` takes -1 and 0FFFFFFFFh for the same.
import { parseExpression, type Node } from './expressionParser.ts';
import { littleEndian } from './littleEndian.ts';
import { DebugError, type DebugTarget, type Space } from './target.ts';

export interface ExpressionContext {
  readonly register: (name: string) => bigint | undefined;
  readonly symbol: (name: string) => bigint | undefined;
  /** All bytes, or null. */
  readonly memory: (space: Space, address: bigint, length: number) => Uint8Array | null;
  readonly addressBytes: 4 | 8;
  readonly protectedMode: boolean;
}

export interface CompiledExpression {
  readonly text: string;
  /** As an unsigned value. Throws a DebugError on unmapped memory, an unknown name or a division by zero. */
  evaluate(context: ExpressionContext): bigint;
  /** As it comes, maybe negative. */
  evaluateSigned(context: ExpressionContext): bigint;
}

/** Bits by name, as the manual calls them (SDM 3A 2.3, 2.5). */
const REGISTER_BITS: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>> = {
  eflags: {
    cf: [0, 1], pf: [2, 1], af: [4, 1], zf: [6, 1], sf: [7, 1], tf: [8, 1], if: [9, 1], df: [10, 1], of: [11, 1],
    iopl: [12, 2], nt: [14, 1], rf: [16, 1], vm: [17, 1], ac: [18, 1], vif: [19, 1], vip: [20, 1], id: [21, 1],
  },
  cr0: {
    pe: [0, 1], mp: [1, 1], em: [2, 1], ts: [3, 1], et: [4, 1], ne: [5, 1], wp: [16, 1], am: [18, 1], nw: [29, 1],
    cd: [30, 1], pg: [31, 1],
  },
  cr3: { pwt: [3, 1], pcd: [4, 1] },
  cr4: {
    vme: [0, 1], pvi: [1, 1], tsd: [2, 1], de: [3, 1], pse: [4, 1], pae: [5, 1], mce: [6, 1], pge: [7, 1], pce: [8, 1],
    osfxsr: [9, 1], osxmmexcpt: [10, 1], umip: [11, 1], vmxe: [13, 1], smxe: [14, 1], fsgsbase: [16, 1],
    pcide: [17, 1], osxsave: [18, 1], smep: [20, 1], smap: [21, 1],
  },
  efer: { sce: [0, 1], lme: [8, 1], lma: [10, 1], nxe: [11, 1] },
};
const SELECTOR_BITS = { rpl: [0, 2], ti: [2, 1], index: [3, 13] } as const;
const SEGMENTS: ReadonlySet<string> = new Set(['es', 'cs', 'ss', 'ds', 'fs', 'gs']);
const MAX_SHIFT = 255n;

/** Throws a DebugError that names the position of what is wrong. */
export function compile(text: string): CompiledExpression {
  const node = parseExpression(text);
  const evaluateSigned = (context: ExpressionContext): bigint => new Evaluator(context).value(node);
  return { text, evaluateSigned, evaluate: (context) => toUnsigned(evaluateSigned(context), context) };
}

/** What expressions see of a machine. */
export function contextOf(target: DebugTarget, symbols: { address(name: string): bigint | undefined }): ExpressionContext {
  const mode = target.mode();
  return {
    register: (name) => target.registers.get(name),
    symbol: (name) => symbols.address(name),
    memory: (space, address, length) => target.memory.read(space, address, length),
    addressBytes: mode.addressBytes,
    protectedMode: mode.protectedMode && !mode.virtual8086,
  };
}

export function toUnsigned(value: bigint, context: { readonly addressBytes: 4 | 8 }): bigint {
  if (value >= 0n) return BigInt.asUintN(128, value);
  return context.addressBytes === 4 && value >= -0x8000_0000n ? BigInt.asUintN(32, value) : BigInt.asUintN(64, value);
}

/** A register, or a field of one: `eflags.zf`, `cs.rpl`. */
export function registerValue(name: string, get: (name: string) => bigint | undefined): bigint | undefined {
  const lower = name.toLowerCase();
  const whole = get(lower);
  if (whole !== undefined) return whole;
  const dot = lower.indexOf('.');
  if (dot < 0) return undefined;
  const register = lower.slice(0, dot), field = lower.slice(dot + 1);
  const value = get(register);
  if (value === undefined) return undefined;
  const bits = SEGMENTS.has(register)
    ? Object.entries(SELECTOR_BITS).find(([known]) => known === field)?.[1]
    : REGISTER_BITS[register === 'rflags' ? 'eflags' : register]?.[field];
  return bits === undefined ? undefined : (value >> BigInt(bits[0])) & ((1n << BigInt(bits[1])) - 1n);
}

class Evaluator {
  readonly #context: ExpressionContext;

  constructor(context: ExpressionContext) {
    this.#context = context;
  }

  value(node: Node): bigint {
    switch (node.kind) {
      case 'number': return node.value;
      case 'name': return this.#name(node.name, node.only, node.position);
      case 'memory': return this.#memory(node.address, node.bytes, node.signed, node.physical);
      case 'far': return this.#far(node);
      case 'unary': return this.#unary(node.operator, this.value(node.operand));
      case 'choice': return this.value(node.condition) !== 0n ? this.value(node.whenTrue) : this.value(node.whenFalse);
      case 'binary': return this.#binary(node);
    }
  }

  #name(name: string, only: 'register' | 'symbol' | null, position: number): bigint {
    if (only !== 'symbol') {
      const register = registerValue(name, this.#context.register);
      if (register !== undefined) return register;
      if (only === 'register') throw new DebugError(`there is no register $${name} (position ${position + 1})`);
    }
    const symbol = this.#context.symbol(name);
    if (symbol !== undefined) return symbol;
    if (only === null && /^[0-9a-f]+h?$/i.test(name)) return BigInt(`0x${name.replace(/h$/i, '')}`);
    throw new DebugError(`${name} is neither a register nor a known symbol (position ${position + 1})`);
  }

  #address(value: bigint): bigint {
    return BigInt.asUintN(this.#context.addressBytes * 8, value);
  }

  #memory(addressNode: Node, size: 0 | 1 | 2 | 4 | 8, signed: boolean, physical: boolean): bigint {
    const bytes = size === 0 ? this.#context.addressBytes : size;
    const raw = this.value(addressNode);
    const address = physical ? BigInt.asUintN(64, raw) : this.#address(raw);
    const content = this.#context.memory(physical ? 'physical' : 'linear', address, bytes);
    if (content === null) {
      throw new DebugError(`${physical ? 'physical memory' : 'memory'} at ${address.toString(16)}h is not mapped`);
    }
    const value = littleEndian(content);
    return signed ? BigInt.asIntN(bytes * 8, value) : value;
  }

  /** `es:edi`: the segment's base; a number is a real mode segment. */
  #far(node: Extract<Node, { kind: 'far' }>): bigint {
    const offset = this.value(node.offset);
    if (node.segment.kind === 'name' && SEGMENTS.has(node.segment.name.toLowerCase())) {
      const base = registerValue(`${node.segment.name}.base`, this.#context.register);
      if (base !== undefined) return this.#address(base + offset);
    }
    if (this.#context.protectedMode) {
      throw new DebugError(`segment:offset needs a segment register in protected mode (position ${node.position + 1})`);
    }
    return this.#address(this.value(node.segment) * 16n + offset);
  }

  #unary(operator: string, value: bigint): bigint {
    if (operator === '-') return -value;
    if (operator === '~') return ~value;
    if (operator === '!') return value === 0n ? 1n : 0n;
    return value;
  }

  #binary(node: Extract<Node, { kind: 'binary' }>): bigint {
    const a = this.value(node.left);
    if (node.operator === '&&') return a !== 0n && this.value(node.right) !== 0n ? 1n : 0n;
    if (node.operator === '||') return a !== 0n || this.value(node.right) !== 0n ? 1n : 0n;
    const b = this.value(node.right);
    const flag = (holds: boolean): bigint => (holds ? 1n : 0n);
    switch (node.operator) {
      case '*': return BigInt.asIntN(1024, a * b);
      case '/': case '%':
        if (b === 0n) throw new DebugError(`division by zero (position ${node.position + 1})`);
        return node.operator === '/' ? a / b : a % b;
      case '+': return a + b;
      case '-': return a - b;
      case '<<': case '>>':
        if (b < 0n || b > MAX_SHIFT) throw new DebugError(`a shift by ${b} is out of range (position ${node.position + 1})`);
        return node.operator === '<<' ? BigInt.asIntN(1024, a << b) : a >> b;
      case '&': return a & b;
      case '^': return a ^ b;
      case '|': return a | b;
      case '==': return flag(same(a, b));
      case '!=': return flag(!same(a, b));
      case '<': return flag(a < b);
      case '<=': return flag(a <= b);
      case '>': return flag(a > b);
      default: return flag(a >= b);
    }
  }
}

/** Equal, or equal as two's complement of 32 or 64 bits when one of them is negative. */
function same(a: bigint, b: bigint): boolean {
  if (a === b) return true;
  if (a < 0n === b < 0n) return false;
  const [negative, other] = a < 0n ? [a, b] : [b, a];
  if (negative >= -0x8000_0000n && other <= 0xffff_ffffn) return BigInt.asUintN(32, negative) === other;
  return BigInt.asUintN(64, negative) === other;
}
