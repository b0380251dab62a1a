// Conditions, addresses and log texts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile, contextOf, type ExpressionContext } from '../../../core/debugger/expressions.ts';
import { compileTemplate, formatTemplate } from '../../../core/debugger/logTemplate.ts';
import { DebugError } from '../../../core/debugger/target.ts';
import { fakeTarget } from './fakeTarget.ts';

const target = fakeTarget({
  registers: {
    eax: 0xffffffff, ebx: 5, ecx: 0, esi: 0x2000, eip: 0x1000, 'cs.base': 0, 'es.base': 0x8000, es: 0x13, ah: 0xff, cr0: 0x80000001,
    eflags: 0x246,
  },
});
target.put32(0x2000n, 0x11223344, 0x80105d52);
target.put(0x3000n, [...new TextEncoder().encode('Hello, world\0')]);
target.put32(0x8010n, 77);
const symbols = new Map([['trap', 0x80105000n], ['table', 0x2000n], ['face', 0x1234n], ['a.b', 0x99n], ['ebx', 0x777n], ['f.isra.0', 0x55n]]);
const context: ExpressionContext = contextOf(target, { address: (name) => symbols.get(name) });
const value = (text: string, other = context): bigint => compile(text).evaluate(other);

describe('expressions', () => {
  it.each([
    ['12', 12n], ['0x1f', 0x1fn], ['12h', 0x12n], ['0ffh', 0xffn], ['80105d52', 0x80105d52n], ['00100000', 0x100000n],
    ['12345678', 0x12345678n], ['0n12345678', 12345678n], ['1234567', 1234567n], ['1f', 0x1fn], ['0', 0n],
    ['dead', 0xdeadn], ['fffh', 0xfffn], ['face', 0x1234n], ['ah', 0xffn], ['0ah', 10n],
  ])('number %s', (text, expected) => expect(value(text)).toBe(expected));

  it.each([
    ['eax', 0xffffffffn], ['$eax', 0xffffffffn], ['EBX', 5n], ["'ebx'", 0x777n], ['es.base', 0x8000n], ['es.rpl', 3n], ['cr0.pg', 1n],
    ['cr0.wp', 0n], ['eflags.zf', 1n], ['eflags.if', 1n], ['eflags.cf', 0n], ['trap', 0x80105000n], ['trap+12h', 0x80105012n], ["'a.b'", 0x99n],
    ['f.isra.0', 0x55n],
  ])('name %s', (text, expected) => expect(value(text)).toBe(expected));

  it.each([
    ['[table]', 0x11223344n], ['[esi+4]', 0x80105d52n], ['byte [esi]', 0x44n], ['word [table+1]', 0x2233n], ['dword ptr [esi]', 0x11223344n],
    ['qword [esi]', 0x80105d5211223344n], ['u8(esi+3)', 0x11n], ['u16(esi)', 0x3344n], ['s32(esi+4)', 0x80105d52n], ['s32(esi+4) < 0', 1n],
    ['phys [2000h]', 0x11223344n], ['phys byte [2000h]', 0x44n], ['byte phys [2000h]', 0x44n], ['[[esi+4] - 80105d52 + esi]', 0x11223344n],
    ['[es:10h]', 77n], ['es:10h', 0x8010n],
  ])('memory %s', (text, expected) => expect(value(text)).toBe(expected));

  it.each([
    ['1 + 2 * 3', 7n], ['(1 + 2) * 3', 9n], ['10 % 4', 2n], ['7 / 2', 3n], ['1 << 4 | 1', 17n], ['0ffh & ~0fh', 0xf0n], ['!0', 1n], ['!5', 0n],
    ['eax == -1', 1n], ['eax != -1', 0n], ['ebx > 3 && ecx == 0', 1n], ['ebx > 5 || ecx', 0n], ['ebx ? 10 : 20', 10n], ['ecx ? 1 : ebx ? 2 : 3', 2n],
    ['eflags & 200h == 200h', 1n], ['-1', 0xffffffffn], ['-80000001h', 0xffffffff7fffffffn], ['2 - 3 + 1', 0n], ['6 ^ 3', 5n], ['ecx?es:ebx', 5n],
    ['ecx && [0]', 0n], ['1 || [0]', 1n], ['- - 3', 3n],
  ])('operators %s', (text, expected) => expect(value(text)).toBe(expected));

  it('knows real mode addresses', () => {
    const real = contextOf(fakeTarget({ bits: 16, registers: { 'cs.base': 0xf0000, cs: 0xf000, ip: 0xfff0 } }), { address: () => undefined });
    expect(value('f000:fff0', real)).toBe(0xffff0n);
    expect(value('cs:ip', real)).toBe(0xffff0n);
    expect(value('40:17', real)).toBe(0x417n);
    expect(value('1 ? 2:3', real)).toBe(2n);
    expect(() => value('1000:10')).toThrow(/segment register/);
  });

  it.each([
    ['1 +', /expected a value at position 4 .*found the end/], ['(1', /expected "\)" at position 3/], ['1 2', /expected an operator or the end at position 3/],
    ['12g', /"12g" at position 1 .* is no number/], ['#', /"#" is not understood at position 1/], ["'abc", /does not end/], ['$', /register name/], ['', /found the end/],
    ['a ? b', /expected ":"/], [`${'('.repeat(200)}1`, /nested/], ['1'.repeat(5000), /at most 4000/],
  ])('says what is wrong with %s', (text, message) => expect(() => compile(text)).toThrow(message));

  it.each([
    ['nothere', /nothere is neither a register nor a known symbol/], ['$trap', /no register \$trap/], ['[99999h]', /memory at 99999h is not mapped/],
    ['phys [77777777h]', /physical memory/], ['1 / ecx', /division by zero/], ['1 << 300', /out of range/],
  ])('says why %s has no value', (text, message) => {
    const compiled = compile(text);
    expect(() => compiled.evaluate(context)).toThrow(message);
    expect(() => compiled.evaluate(context)).toThrow(DebugError);
  });

  it('gives a value or a DebugError for any text', () => {
    const words = fc.constantFrom('eax', '[', ']', '(', ')', '+', '-', '?', ':', 'byte', 'phys', '1', '0x', 'h', '<<', '*', '$', "'", 'trap', '~', '!', '==', 'es:', '.', 'u8(', ' ');
    const texts = fc.oneof(fc.string({ maxLength: 60 }), fc.array(words, { maxLength: 25 }).map((list) => list.join('')));
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const result = value(text);
          expect(result >= 0n).toBe(true);
          formatTemplate(`x {${text}} y`, context);
        } catch (error) {
          expect(error).toBeInstanceOf(DebugError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('log texts', () => {
  const named = { ...context, name: (address: bigint) => (address === 0x80105d52n ? 'trap+d52h' : null) };
  it.each([
    ['eax is {eax}, ebx {ebx}', 'eax is ffffffffh, ebx 5'], ['{eax:x} {eax:d} {eax:u}', 'ffffffff -1 4294967295'], ['{3000h:s}!', 'Hello, world!'],
    ['{{{ebx:b}}}', '{101b}'], ['{41h:c}', 'A'], ['{[esi+4]:a}', 'trap+d52h'], ['{(ecx?1:2)}', '2'], ['{[0]}', '<memory at 0h is not mapped>'],
    ['{nothere}', '<nothere is neither a register nor a known symbol (position 1)>'], ['plain', 'plain'],
  ])('%s', (text, expected) => expect(formatTemplate(text, named)).toBe(expected));

  it('refuses what cannot be understood when it is set', () => {
    expect(() => compileTemplate('{eax')).toThrow(/not closed/);
    expect(() => compileTemplate('{eax +}')).toThrow(DebugError);
  });
});
