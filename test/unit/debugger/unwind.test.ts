// Stacks made by hand, and the one that a real program would have by its own call frame information.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseElf } from '../../../core/debugger/symbols/elf.ts';
import { SymbolTable } from '../../../core/debugger/symbols/symbolTable.ts';
import { callerOf, unwindStack } from '../../../core/debugger/unwind.ts';
import { ProgramFolder } from './buildPrograms.ts';
import { fakeTarget, type FakeMachine } from './fakeTarget.ts';

const map = (text: string): SymbolTable => {
  const table = new SymbolTable();
  table.load('System.map', new TextEncoder().encode(text), 0n);
  return table;
};
const FRAMED = [0x55, 0x89, 0xe5, 0x83, 0xec, 0x10];
const symbols = map('00001000 T main\n00001100 T middle\n00001200 T leaf\n00001300 T stub\n00001400 T handler\n');

/** main calls middle at 1020, middle calls leaf at 1120; stub (unframed) calls handler at 1310. */
function machine(registers: Record<string, number>): FakeMachine {
  const target = fakeTarget({ registers: { cs: 8, 'cs.base': 0, 'ss.base': 0, eflags: 2, ...registers } });
  for (let address = 0x1000; address < 0x1500; address += 0x100) target.put(BigInt(address), FRAMED);
  target.put(0x1300n, [0x60, 0x90]);
  target.put(0x101bn, [0xe8, 0xe0, 0, 0, 0]);
  target.put(0x111bn, [0xff, 0x14, 0x85, 0, 0, 0, 0]);
  target.put(0x130bn, [0xe8, 0xf0, 0, 0, 0]);
  target.put32(0x8000n, ...Array.from({ length: 256 }, () => 0));
  return target;
}
const summary = (target: FakeMachine, table = symbols) => unwindStack(target, table, 50).map(({ function: name, place, how }) => [name, place.address, how]);

describe('frame pointers', () => {
  it('follows the chain to its end', () => {
    const target = machine({ eip: 0x1210, esp: 0x8000, ebp: 0x8020 });
    target.put32(0x8020n, 0x8060, 0x1122);
    target.put32(0x8060n, 0, 0x1020);
    expect(summary(target)).toEqual([['leaf', '1210', 'registers'], ['middle', '1122', 'frame pointer'], ['main', '1020', 'frame pointer']]);
    expect(unwindStack(target, symbols, 2)).toHaveLength(2);
    expect(unwindStack(target, symbols, 50)[0]).toMatchObject({ index: 0, frame: '8028', place: { symbol: 'leaf+10h' } });
    expect(callerOf(target, symbols)).toEqual({ address: 0x1122n, frame: 0x8028n, how: 'frame pointer' });
  });

  it.each([[0x1200, 0x8000], [0x1201, 0x8000]])('knows that %i has no frame yet', (eip, esp) => {
    const target = machine({ eip, esp, ebp: 0x8060 });
    if (eip === 0x1200) target.put32(0x8000n, 0x1122);
    else target.put32(0x8000n, 0x8060, 0x1122);
    target.put32(0x8060n, 0, 0x1020);
    expect(summary(target)).toEqual([['leaf', eip.toString(16), 'registers'], ['middle', '1122', 'stack pointer'], ['main', '1020', 'frame pointer']]);
  });

  it('trusts a return instruction', () => {
    const target = machine({ eip: 0x1280, esp: 0x8000, ebp: 0x8060 });
    target.put(0x1280n, [0xc3]);
    target.put32(0x8000n, 0x1122);
    target.put32(0x8060n, 0, 0x1020);
    expect(callerOf(target, symbols)).toMatchObject({ address: 0x1122n, frame: 0x8004n });
  });

  it('ends at cycles, at frames that go down and at unmapped ones', () => {
    const cycle = machine({ eip: 0x1210, esp: 0x8000, ebp: 0x8020 });
    cycle.put32(0x8020n, 0x8020, 0x1122);
    expect(summary(cycle).length).toBeLessThan(4);
    const down = machine({ eip: 0x1210, esp: 0x8000, ebp: 0x8060 });
    down.put32(0x8060n, 0x8020, 0x1122);
    expect(summary(down)).toHaveLength(2);
    expect(summary(machine({ eip: 0x1210, esp: 0x90000, ebp: 0x90020 }))).toEqual([['leaf', '1210', 'registers']]);
    expect(summary(machine({ eip: 0x70000000, esp: 0xfffffffc, ebp: 0xffffffff }))).toHaveLength(1);
  });
});

describe('interrupts', () => {
  it('steps over an unframed handler and its interrupt frame', () => {
    // In handler, called by stub, which an interrupt entered from leaf: EIP, CS, EFLAGS above eight saved registers.
    const target = machine({ eip: 0x1410, esp: 0x8000, ebp: 0x8010 });
    target.put32(0x8010n, 0x8080, 0x1310);
    target.put32(0x8018n, 1, 2, 3, 4, 5, 6, 7, 9);
    target.put32(0x8038n, 0x1230, 8, 0x246);
    target.put32(0x8080n, 0x80c0, 0x1122);
    target.put32(0x80c0n, 0, 0x1020);
    expect(summary(target)).toEqual([
      ['handler', '1410', 'registers'], ['stub', '1310', 'frame pointer'], ['leaf', '1230', 'interrupt frame'], ['middle', '1122', 'frame pointer'], ['main', '1020', 'frame pointer'],
    ]);
  });

  it('finds it from the unframed handler itself', () => {
    const target = machine({ eip: 0x1301, esp: 0x8000, ebp: 0x8080 });
    target.put32(0x8000n, 1, 2, 3, 4, 5, 6, 7, 9, 0x1230, 8, 0x246);
    target.put32(0x8080n, 0, 0x1122);
    expect(summary(target).slice(0, 3)).toEqual([['stub', '1301', 'registers'], ['leaf', '1230', 'interrupt frame'], ['middle', '1122', 'frame pointer']]);
  });

  it('reads the saved registers that Linux marks', () => {
    const kernel = map('c0001000 T main\nc0001100 T middle\nc0001200 T leaf\n');
    const target = fakeTarget({ registers: { cs: 0x60, 'cs.base': 0, 'ss.base': 0, eip: 0xc0001210, esp: 0xc0008000, ebp: 0xc0008020 } });
    for (const address of [0xc0001000n, 0xc0001100n, 0xc0001200n]) target.put(address, FRAMED);
    target.put(0xc000111bn, [0xe8, 0xe0, 0, 0, 0]);
    target.put(0xc000101bn, [0xe8, 0xe0, 0, 0, 0]);
    target.put32(0xc0008000n, ...Array.from({ length: 256 }, () => 0));
    target.put32(0xc0008020n, 0x40008040, 0xc0001120);
    target.put32(0xc0008040n + 20n, 0xc0008100);
    target.put32(0xc0008040n + 48n, 0xc0001234, 0x60, 0x246, 0xc00080f0, 0x68);
    target.put32(0xc0008100n, 0, 0xc0001020);
    expect(summary(target, kernel)).toEqual([
      ['leaf', 'c0001210', 'registers'], ['middle', 'c0001120', 'frame pointer'], ['leaf', 'c0001234', 'interrupt frame'], ['main', 'c0001020', 'frame pointer'],
    ]);
  });
});

describe('real mode', () => {
  it('follows near and far calls in their segments', () => {
    const target = fakeTarget({ bits: 16, registers: { cs: 0x100, 'cs.base': 0x1000, 'ss.base': 0x8000, ip: 0x20, eip: 0x20, sp: 0x100, bp: 0x110 } });
    target.put(0x1020n, [0x90, 0x90]);
    target.put(0x103dn, [0xe8, 0x10, 0x00, 0x90]);
    target.put(0x205bn, [0x9a, 0, 0, 0, 1, 0x90]);
    target.put32(0x8100n, ...Array.from({ length: 64 }, () => 0));
    target.put(0x8110n, [0x20, 0x01, 0x40, 0x00]);
    target.put(0x8120n, [0x00, 0x00, 0x60, 0x00, 0x00, 0x02]);
    expect(unwindStack(target, new SymbolTable(), 10).map(({ place, frame }) => [place.address, frame])).toEqual([['1020', '8114'], ['1040', '8126'], ['2060', '8000']]);
  });
});

describe('call frame information', () => {
  let programs: ProgramFolder;
  beforeAll(() => {
    programs = new ProgramFolder();
  });
  afterAll(() => programs.remove());

  it('unwinds code without frame pointers', () => {
    const built = programs.compile('cfi', '-m32', '-O1', '-g', '-fomit-frame-pointer');
    const table = new SymbolTable();
    table.load(built.path, built.bytes, 0n);
    const elf = parseElf(built.path, built.bytes);
    const text = elf.sections.find(({ name }) => name === '.text')!;
    const content = elf.section('.text')!.bytes;
    const target = fakeTarget({ registers: { cs: 8, 'cs.base': 0, 'ss.base': 0, eax: 0, ecx: 0, edx: 0, ebx: 0, ebp: 0, esi: 0, edi: 0 } });
    target.put(text.address, content);
    target.put32(0x8000n, ...Array.from({ length: 256 }, () => 0));
    const start = (name: string): bigint => table.address(name)!;
    /** Behind the call of `callee` in `name`. */
    const afterCall = (name: string, callee: string): bigint => {
      for (let at = start(name); ; at++) {
        const offset = Number(at - text.address);
        if (content[offset] !== 0xe8) continue;
        const distance = new DataView(content.buffer, content.byteOffset + offset + 1, 4).getInt32(0, true);
        if (at + 5n + BigInt(distance) === start(callee)) return at + 5n;
      }
    };
    // From the outermost frame inwards: each return address lies below the frame that its caller's information gives.
    const chain = [afterCall('_start', 'outer'), afterCall('outer', 'middle'), afterCall('middle', 'inner')];
    let stack = 0x8300n;
    const pushes: bigint[] = [];
    for (const address of chain) {
      stack -= 4n;
      target.put32(stack, address);
      pushes.push(stack);
      const callee = table.enclosing(address)!.name === '_start' ? 'outer' : table.enclosing(address)!.name === 'outer' ? 'middle' : 'inner';
      if (callee === 'inner') break;
      const inside = afterCall(callee, callee === 'outer' ? 'middle' : 'inner');
      // Where its frame address is, seen from its stack pointer.
      const probe = table.unwind(inside - 1n, Array.from({ length: 8 }, () => 0x1000n), () => 1n)!;
      stack = stack + 4n - (probe.frame - 0x1000n);
    }
    target.values.set('esp', stack);
    target.values.set('eip', start('inner'));
    const frames = unwindStack(target, table, 20);
    expect(frames.map(({ function: name }) => name)).toEqual(['inner', 'middle', 'outer', '_start']);
    expect(frames.slice(1).map(({ place }) => BigInt(`0x${place.address}`))).toEqual(chain.toReversed());
    expect(frames[1].how).toBe('call frame information');
    expect(frames[1].place.source?.file).toContain('program.c');
  });
});

it('never throws, whatever the stack holds', () => {
  const interesting = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0x8010, 0x8020, 0x8100, 0x1020, 0x1122, 8, 0x246, 0, 0xffffffff));
  fc.assert(
    fc.property(fc.array(interesting, { minLength: 64, maxLength: 64 }), fc.constantFrom(0x8000, 0x8010, 0xfffffff0, 3), fc.constantFrom(0x1210, 0x1300, 0, 0xffffffff), fc.constantFrom(16, 32, 64), (words, stack, eip, bits) => {
      const target = machine({ eip, esp: stack, ebp: 0x8010 });
      const other = fakeTarget({ bits, registers: { cs: 8, eip, ip: eip & 0xffff, rip: eip, esp: stack, rsp: stack, sp: stack & 0xffff, rbp: 0x8010, ebp: 0x8010, bp: 0x8010 } });
      for (const each of [target, other]) {
        each.put32(0x8000n, ...words);
        expect(unwindStack(each, symbols, 100).length).toBeLessThanOrEqual(100);
      }
    }),
    { numRuns: 500 },
  );
});
