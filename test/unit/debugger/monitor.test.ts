// The monitor over handlers that record what they are asked.
import { expect, test } from 'vitest';
import { debugMethods } from '../../../core/api/debug.ts';
import { exitClasses } from '../../../core/cpu/state/exitClasses.ts';
import type { DebugHandlers } from '../../../core/debugger/monitor/command.ts';
import { splitWords } from '../../../core/debugger/monitor/command.ts';
import { Monitor, monitorCommands } from '../../../core/debugger/monitor/monitor.ts';
import { DebugError } from '../../../core/debugger/target.ts';
import { descriptorTable } from '../../../core/debugger/descriptorTables.ts';
import { deviceStates } from '../../../core/debugger/deviceState.ts';
import { compilePattern, MemorySearch } from '../../../core/debugger/memorySearch.ts';
import { addressSpace, pageWalk, tlbEntries } from '../../../core/debugger/pageWalk.ts';
import { physicalRanges } from '../../../core/debugger/physicalMap.ts';
import { registerView } from '../../../core/debugger/registerView.ts';
import { taskState } from '../../../core/debugger/descriptorTables.ts';
import { pagedMode } from './cpuFixture.ts';

const place = (address: string, symbol: string | null = null) => ({ address, symbol, source: null });
const status = {
  state: 'paused', stop: { kind: 'step', text: 'Stepped', breakpointId: null }, revision: 3, instructions: 1234567, guestNs: 5,
  place: place('00007c00', 'start+0h'), mode: { name: '32-bit protected mode', bits: 32, privilege: 0, paging: true }, symbols: [], gdb: null,
} as const;
const breakpoint = {
  id: 4, hits: 14, text: 'trap+12h', address: 'c0101234', problem: null, where: { kind: 'execute', at: 'trap', space: 'linear' }, enabled: true,
  condition: 'eax == 1', ignoreHits: 0, log: '', oneShot: false, addressSpace: '',
} as const;
const noNull = (address: bigint) => (address >= 0x7c00n && address < 0x7d00n ? `start+${(address - 0x7c00n).toString(16)}h` : null);

type Call = [name: string, request: Record<string, unknown>];

/** Real views of a CPU, canned answers for the rest; each request is checked against the contract. */
function stage(answers: Record<string, unknown> = {}) {
  const { cpu, map, target, bytes, write32 } = pagedMode();
  bytes(0x7c00, 0x90, 0xeb, 0xfe);
  bytes(0x9000, ...new TextEncoder().encode('Linux "x"\n\u0000'));
  const calls: Call[] = [];
  const value = (expression: string): bigint => {
    if (/^(0x[0-9a-f]+|\d+)$/.test(expression)) return BigInt(expression);
    const known = target.registers.get(expression);
    if (known === undefined) throw new DebugError(`${expression} is unknown`);
    return known;
  };
  const search = new MemorySearch(target);
  const canned: Record<string, (request: never) => unknown> = {
    'debug.status': () => status,
    'debug.control': () => status,
    'debug.registers': () => registerView(target, [], noNull),
    'debug.setRegister': ({ name, value: text }: { name: string; value: string }) => {
      if (!target.registers.set(name, value(text))) throw new DebugError(`${name} cannot be set to ${text}`);
      return null;
    },
    'debug.evaluate': ({ expression }: { expression: string }) => {
      const result = value(expression);
      return { value: result.toString(16), signed: BigInt.asIntN(32, result).toString(), place: place(result.toString(16), noNull(result)), text: '' };
    },
    'debug.disassemble': ({ at, count }: { at: string; count: number }) => ({
      lines: Array.from({ length: count }, (_, index) => ({
        address: (BigInt(at) + BigInt(index)).toString(16).padStart(8, '0'), bytes: Uint8Array.of(0x90), parts: [{ text: 'nop', kind: 'mnemonic' }],
        label: index === 0 ? 'start' : null, source: null, target: null, note: '', current: index === 0, sensitive: null, privileged: false, breakpoint: null,
      })),
    }),
    'debug.readMemory': ({ space, at, length }: { space: 'linear' | 'physical'; at: string; length: number }) => ({
      address: value(at).toString(16), ...target.memory.readPartly(space, value(at), length),
    }),
    'debug.writeMemory': ({ space, at, bytes: data }: { space: 'linear'; at: string; bytes: Uint8Array }) => {
      if (!target.memory.write(space, value(at), data)) throw new DebugError('not memory');
      return null;
    },
    'debug.searchMemory': ({ space, from, to, pattern, limit, next }: { space: 'linear'; from: string; to: string; pattern: never; limit: number; next: string | null }) => {
      const piece = search.piece({
        space, from: value(from), to: value(to), patterns: compilePattern(pattern, 0n, 4), limit, next: next === null ? null : BigInt(`0x${next}`),
      });
      return { matches: piece.matches.map((match) => match.toString(16)), next: piece.next?.toString(16) ?? null, done: piece.done };
    },
    'debug.stack': () => ({ frames: [{ index: 0, place: place('00007c00', 'start+0h'), frame: '00007000', function: 'start', how: 'registers' }] }),
    'debug.descriptors': ({ table }: { table: 'gdt' }) => descriptorTable(target, table, noNull),
    'debug.taskState': () => taskState(target, noNull),
    'debug.pageWalk': ({ at }: { at: string }) => pageWalk(target, [], value(at)),
    'debug.addressSpace': () => addressSpace(target, noNull),
    'debug.tlb': () => ({ entries: tlbEntries(target) }),
    'debug.physicalMap': () => ({ ranges: physicalRanges(cpu, map, []) }),
    'debug.devices': () => ({ devices: deviceStates([{ id: 'pit0', state: { version: 1, save: () => ({ channels: [{ mode: 2 }] }), restore: () => {} }, reset: () => {} }]) }),
    'debug.breakpoints': () => ({ breakpoints: [breakpoint] }),
    'debug.setBreakpoint': ({ breakpoint: specification }: { breakpoint: object }) => ({ ...breakpoint, ...specification, id: 5, text: 'here' }),
    'debug.updateBreakpoint': () => breakpoint,
    'debug.removeBreakpoint': () => null,
    'debug.loadSymbols': () => ({ id: 1, symbols: 10, lines: 0, warnings: ['no lines'] }),
    'debug.unloadSymbols': () => null,
    'debug.findSymbols': ({ text }: { text: string }) => ({ symbols: ['start', 'start_kernel', 'stop'].filter((name) => name.includes(text)).map((name) => ({ name, address: '7c00', kind: 'function', size: 16 })) }),
    'debug.source': () => ({ path: '/src/a.c', lines: Array.from({ length: 40 }, (_, n) => `line ${n + 1}`), code: [] }),
    'debug.linuxTasks': () => ({ tasks: [{ pid: 1, name: 'init', state: 'sleeping', address: 'c1000000', addressSpace: '1000', current: true }], problem: null }),
    'debug.linuxModules': () => ({ modules: [], problem: 'no symbols of Linux are loaded' }),
    'debug.linuxLog': () => ({ text: '[0.0] hello\n', problem: null }),
    'debug.gdb': ({ listen }: { listen: { host: string; port: number } | null }) => (listen === null ? { address: null, warning: null } : { address: `${listen.host}:${listen.port}`, warning: 'open to all' }),
    'traps.summary': () => ({
      instructions: 1000, guestNs: 1, hostMs: 1, timeMs: { engine: 3, hypervisor: 1, devices: 0, idle: 0 }, mips: 99.5,
      classes: [{ exitClass: 'port', title: 'I/O', count: 10, ms: 1, policy: 'count', stops: 0 }], tlbFills: 1, pageFaults: 2, guestErrors: 0, errors: [], unclaimedAccesses: [],
      cpuModel: 'p', sensitiveTrapped: 0, recording: false, recorded: 0,
    }),
    'traps.record': () => null,
    'traps.list': () => ({ traps: [], matched: 0, recorded: 0, capacity: 1000 }),
    'traps.audit': () => ({ rows: [{ instruction: 'SGDT', sensitivity: 'behaviour', privileged: false, trapsWhen: 'never', classic: true, user: 1, kernel: 0, onBare386: '', here: 'exits' }] }),
    'traps.vectors': () => ({ vectors: [{ vector: 14, name: '#PF', kind: 'exception', count: 12345, latency: [] }] }),
    'traps.hot': () => ({ places: [], samples: 0 }),
    'traps.policy': () => ({ classes: Object.fromEntries(exitClasses.map((name) => [name, 'count'])), strictUserMode: false }),
    'traps.setPolicy': ({ policy }: { policy: object }) => policy,
  };
  const handlers = Object.fromEntries(
    Object.entries(debugMethods).map(([name, definition]) => [
      name,
      async (request: unknown) => {
        // A handler gets what the schema gives: nothing may be missing or be filled in.
        expect(definition.request.parse(request)).toEqual(request);
        calls.push([name, request as Record<string, unknown>]);
        const answer = name in answers ? answers[name] : canned[name]?.(request as never);
        return definition.response.parse(answer);
      },
    ]),
  ) as unknown as DebugHandlers;
  let resets = 0;
  const monitor = new Monitor(handlers, { reset: () => resets++ });
  return { monitor, calls, cpu, target, write32, resets: () => resets, last: () => calls.at(-1)! };
}

test('names are unique and every command has help', async () => {
  const names = monitorCommands.flatMap(({ names: all }) => all);
  expect(new Set(names).size).toBe(names.length);
  const { monitor } = stage();
  const all = await monitor.run('help');
  for (const command of monitorCommands) {
    expect(all).toContain(command.names[0]);
    expect(await monitor.run(`help ${command.names[0]}`)).toContain(command.help);
  }
  for (const wanted of ['status', 'continue', 'pause', 'step', 'next', 'finish', 'until', 'run-to-event', 'break', 'tbreak', 'watch', 'rwatch', 'awatch', 'io', 'mmio', 'catch', 'delete', 'enable', 'disable', 'breakpoints', 'registers', 'set', 'print', 'x', 'write', 'search', 'disassemble', 'backtrace', 'gdt', 'ldt', 'idt', 'tss', 'walk', 'map', 'tlb', 'physical', 'devices', 'symbols', 'source', 'tasks', 'modules', 'dmesg', 'exits', 'audit', 'policy', 'vectors', 'hot', 'gdb', 'reset']) {
    expect(names, wanted).toContain(wanted);
  }
});

test('breakpoints in all their forms', async () => {
  const { monitor, last, calls } = stage();
  const where = async (line: string): Promise<unknown> => {
    const output = await monitor.run(line);
    expect(output, line).not.toContain('error');
    expect(last()[0]).toBe('debug.setBreakpoint');
    return (last()[1].breakpoint as { where: unknown }).where;
  };
  expect(await where('break start')).toEqual({ kind: 'execute', at: 'start', space: 'linear' });
  expect(await where('b physical 0x7c00')).toEqual({ kind: 'execute', at: '0x7c00', space: 'physical' });
  expect(await where('watch jiffies + 4 length 8')).toEqual({ kind: 'data', at: 'jiffies + 4', space: 'linear', length: 8, access: 'write' });
  expect(await where('rwatch 0x9000')).toEqual({ kind: 'data', at: '0x9000', space: 'linear', length: 4, access: 'read' });
  expect(await where('io 0x3f8-0x3ff write')).toEqual({ kind: 'port', from: 0x3f8, to: 0x3ff, access: 'write' });
  expect(await where('io 96')).toEqual({ kind: 'port', from: 0x60, to: 0x60, access: 'access' });
  expect(await where('mmio 0xb8000 length 4000 read')).toEqual({ kind: 'mmio', from: '0xb8000', length: 4000, access: 'read' });
  expect(await where('catch interrupt 0x20')).toEqual({ kind: 'interrupt', vector: 0x20 });
  expect(await where('catch exception')).toEqual({ kind: 'exception', vector: null });
  expect(await where('catch exit port')).toEqual({ kind: 'exit', exitClass: 'port' });
  expect(await where('catch cr 3')).toEqual({ kind: 'control-register', register: 'cr3' });
  expect(await where('catch msr 0x174')).toEqual({ kind: 'msr', index: 0x174 });
  expect(await where('catch mode')).toEqual({ kind: 'mode-change' });
  expect(await where('catch address-space')).toEqual({ kind: 'address-space' });
  expect(await where('catch instruction sensitive-unprivileged')).toEqual({ kind: 'instruction', class: 'sensitive-unprivileged' });
  await monitor.run('tbreak start if eax == 1 && [esp] log "hit {eax} \\"q\\"" ignore 3 in 0x1000');
  expect(last()[1].breakpoint).toEqual({
    where: { kind: 'execute', at: 'start', space: 'linear' }, enabled: true, oneShot: true, condition: 'eax == 1 && [esp]', log: 'hit {eax} "q"', ignoreHits: 3, addressSpace: '0x1000',
  });
  expect(await monitor.run('bl')).toContain('if eax == 1');
  expect(await monitor.run('disable 4')).toBe('1 breakpoint disabled');
  expect(last()).toEqual(['debug.updateBreakpoint', { id: 4, breakpoint: expect.objectContaining({ enabled: false, condition: 'eax == 1' }) }]);
  expect(await monitor.run('delete all')).toBe('1 breakpoint deleted');
  const before = calls.length;
  for (const line of ['delete 9', 'catch exit nonsense', 'break', 'catch', 'io', 'io 70000', 'watch', 'break start if', 'break a if b if c', 'enable']) {
    const output = await monitor.run(line);
    expect(output.startsWith('error: ') || line === 'break', `${line}: ${output}`).toBe(true);
  }
  expect(calls.slice(before).some(([name]) => name === 'debug.setBreakpoint')).toBe(false);
});

test('running', async () => {
  const { monitor, calls, resets } = stage();
  for (const [line, control] of [
    ['c', { action: 'continue' }], ['pause', { action: 'pause' }], ['step', { action: 'step-into', count: 1 }], ['s 0x10', { action: 'step-into', count: 16 }],
    ['next', { action: 'step-over' }], ['finish', { action: 'step-out' }], ['until start + 4', { action: 'run-to', target: 'start + 4' }],
    ['until if eax == 3', { action: 'run-until', condition: 'eax == 3' }], ['run-to-event iret', { action: 'run-to-event', event: 'iret' }],
  ] as const) {
    const output = await monitor.run(line);
    expect(output).toContain('start+0h');
    expect(calls.filter(([name]) => name === 'debug.control').at(-1)![1]).toMatchObject({ control });
  }
  await monitor.run('s 2');
  await monitor.run('');
  expect(calls.filter(([name]) => name === 'debug.control').at(-1)![1]).toMatchObject({ control: { action: 'step-into', count: 2 } });
  expect(await monitor.run('reset')).toBe('reset');
  expect(resets()).toBe(1);
  expect(await monitor.run('status')).toContain('=>  00007c00  90');
  expect(await new Monitor(stage().monitor as never).run('reset')).toContain('error');
});

test('registers and memory', async () => {
  const { monitor, cpu, write32 } = stage();
  cpu.setReg32(0, 0xfffffffe);
  expect(await monitor.run('registers')).toMatch(/eax +fffffffe/);
  expect(await monitor.run('registers cr0')).toContain('Paging on (31)');
  expect(await monitor.run('registers flags')).toContain('IOPL');
  expect(await monitor.run('registers nonsense')).toContain('error: there is no register or group nonsense');
  expect(await monitor.run('set ebx = 0x1234')).toBe('ebx set');
  expect(cpu.reg32(3)).toBe(0x1234);
  expect(await monitor.run('set $ebx 5')).toBe('ebx set');
  expect(await monitor.run('set cpl 3')).toBe('error: cpl cannot be set to 3');
  expect(await monitor.run('print eax')).toBe('0xfffffffe  -2');
  expect(await monitor.run('p 0x7c00')).toBe('0x7c00  31744  <start+0h>');
  write32(0xa000, 0x40490fdb);
  write32(0xa004, 0x00007c04);
  expect(await monitor.run('x/2xw 0xa000')).toBe('0000a000:  40490fdb  00007c04');
  expect(await monitor.run('x/f 0xa000')).toBe('0000a000:  3.14159274');
  expect(await monitor.run('x/a 0xa004')).toBe('0000a004:  00007c04 <start+4h>');
  expect(await monitor.run('x/4xb 0xa000')).toBe('0000a000  db 0f 49 40                                      ..I@');
  expect(await monitor.run('')).toContain('0000a004  ');
  expect(await monitor.run('x/dh 0xa002')).toBe('0000a002:  16457');
  expect(await monitor.run('x/t 0xa001')).toContain('0100100100001111');
  expect(await monitor.run('x/s 0x9000')).toBe('00009000  "Linux \\"x\\"\\n"');
  expect(await monitor.run('x/2i 0x7c00')).toContain('=>  00007c00  90');
  expect(await monitor.run('x/2xw 0x3ffffc')).toBe('003ffffc:  00000000  --------');
  expect(await monitor.run('xp/xw 0xa000')).toBe('0000a000:  40490fdb');
  expect(await monitor.run('x/9999999x 0')).toContain('error');
  expect(await monitor.run('x/q 0')).toContain('there is no format q');
  expect(await monitor.run('write/w 0xb000 0x11223344 5')).toBe('8 bytes written');
  expect(await monitor.run('x/2xw 0xb000')).toContain('11223344  00000005');
  expect(await monitor.run('write 0xb000 "ab" 0')).toBe('3 bytes written');
  expect(await monitor.run('x/s 0xb000')).toContain('"ab"');
  expect(await monitor.run('write 0xb000 256')).toContain('does not fit');
  expect(await monitor.run('write 0xf0000000 1')).toBe('error: not memory');
  expect(await monitor.run('search text "Linux"')).toContain('00009000  4c 69 6e 75');
  expect(await monitor.run('search bytes 4c 69 ?? 75 from 0x9001')).toBe('not found');
  expect(await monitor.run('search physical text "lInUx" nocase to 0x9fff')).toContain('1 match');
  expect(await monitor.run('search nothing')).toContain('error');
  expect(await monitor.run('disassemble 0x7c00 3')).toContain('start:');
  expect(await monitor.run('disassemble')).toContain('00007c03');
  expect(await monitor.run('bt')).toBe('#0  00007c00 <start+0h>  frame 00007000  (registers)');
});

test('tables, devices, symbols, Linux, traps', async () => {
  const { monitor, last } = stage();
  const outputs: [string, string | RegExp][] = [
    ['gdt', '32-bit code, readable'], ['ldt', 'no LDT'], ['idt', 'IDT at 00005000'], ['tss', 'no task'], ['walk 0x5123', 'is physical 00005123'],
    ['walk 0x5123', 'PTE 5 at physical 00002014'], ['map', '00000000-003fffff'], ['tlb', '0 entries'], ['physical', '00000000-00ffffff  RAM'],
    ['devices', 'Interval timer'], ['devices pit0', 'mode: 2'], ['devices x', 'error: there is no device x'], ['symbols', 'no symbols are loaded'],
    ['symbols load "/boot/a b" 0x1000', 'warning: no lines'], ['symbols find start', 'start_kernel'], ['symbols unload 1', 'unloaded'], ['source a.c:20', '20  line 20'],
    ['source', 'error: no source line'], ['tasks', '*    1  init'], ['modules', 'no symbols of Linux'], ['dmesg', 'hello'], ['exits', '100 instructions between two'],
    ['exits', 'engine 75%'], ['traps', 'record on'], ['traps record on', 'recording'], ['audit', 'SGDT *'], ['policy', /port +count/], ['policy strict on', ': on'],
    ['policy port log', /port +log/], ['policy port x', 'error'], ['vectors', '12 345'], ['hot', 'no samples'], ['gdb', 'not listening'], ['gdb 1234', '127.0.0.1:1234'],
    ['gdb 0.0.0.0:99', 'warning: open to all'], ['gdb off', 'not listening'], ['gdb 99999', 'error'], ['nonsense', 'error: there is no command nonsense'], ['e', 'error: e may be'], ['', ''],
  ];
  for (const [line, part] of outputs) {
    if (part instanceof RegExp) expect(await monitor.run(line), line).toMatch(part);
    else expect(await monitor.run(line), line).toContain(part);
  }
  await monitor.run('symbols load "/boot/a b" 0x1000');
  expect(last()[1]).toEqual({ path: '/boot/a b', offset: '0x1000' });
});

test('completion', async () => {
  const { monitor } = stage();
  expect(await monitor.complete('con')).toEqual({ candidates: ['continue'], start: 0 });
  expect((await monitor.complete('')).candidates).toContain('break');
  expect(await monitor.complete('break sta')).toEqual({ candidates: ['start', 'start_kernel'], start: 6 });
  expect(await monitor.complete('break *4+sto')).toEqual({ candidates: ['*4+stop'], start: 6 });
  expect(await monitor.complete('catch ex')).toEqual({ candidates: ['exception', 'exit'], start: 6 });
  expect((await monitor.complete('catch exit ')).candidates).toContain('page-fault');
  expect((await monitor.complete('set e')).candidates).toContain('eax');
  expect((await monitor.complete('registers ')).candidates).toContain('x87');
  expect(await monitor.complete('devices ')).toEqual({ candidates: ['pit0'], start: 8 });
  expect(await monitor.complete('delete ')).toEqual({ candidates: ['4', 'all'], start: 7 });
  expect((await monitor.complete('nonsense x')).candidates).toEqual([]);
  expect((await monitor.complete('help ga')).candidates).toEqual([]);
});

test('odd lines never reject', async () => {
  const { monitor } = stage();
  for (const line of ['"', 'break "', 'x/', 'x//', '/', '?', '? ', 'x/-1', 'write "a', 'search text "', 'set', 'log', 'break ((((', '\u0000', 'help help help', 'print']) {
    expect(typeof (await monitor.run(line)), line).toBe('string');
    expect(Array.isArray((await monitor.complete(line)).candidates), line).toBe(true);
  }
  expect(splitWords('a "b c" (d e) f\\"')).toEqual(['a', '"b c"', '(d e)', 'f\\"']);
});
