// A debugger over the fake guest, for tests of everything around one: it answers the whole contract and what it
// answers hangs together, but its expressions and conditions know only numbers, registers and symbols.
import { Emitter } from '../../core/base/emitter.ts';
import type { Breakpoint, DebugControl, DebugPlace, DebugStatus, DebugStop } from '../../core/api/debug.ts';
import type { BreakpointSpecification, DisassemblyLine } from '../../core/api/debug.ts';
import type { DebugService, DebugServiceFactory } from '../../core/api/debugService.ts';
import { Failure } from '../../core/api/failure.ts';
import type { Machine } from '../../core/machine/machine.ts';
import { FakeGuest, PROGRAM, REGISTERS, SOURCE_FILE, SOURCE_LINES, SYMBOLS, symbolOf } from './fakeGuest.ts';
import type { Instruction, Register } from './fakeGuest.ts';
import { registersOf, segmentsOf, devicesOf, pageWalkOf, partsOf, taskStateOf, descriptorsOf } from './fakeState.ts';
import { fakeTrapHandlers } from './fakeTraps.ts';

const TICK_MS = 25;
const INSTRUCTIONS_A_TICK = 800;
const hex = (value: number): string => (value >>> 0).toString(16);
const bad = (message: string): never => {
  throw new Failure('bad-request', message);
};

export const createFakeDebugService: DebugServiceFactory = (machine) => new FakeDebugger(machine).service;

class FakeDebugger {
  readonly guest = new FakeGuest();
  readonly #machine: Machine;
  readonly #changed = new Emitter<DebugStatus>();
  readonly #logged = new Emitter<string>();
  #revision = 1;
  #stop: DebugStop | null = null;
  #nextId = 1;
  #breakpoints: Breakpoint[] = [];
  #symbols: DebugStatus['symbols'] = [
    {
      id: 1,
      path: '/guests/kernel.elf',
      kind: 'ELF with DWARF lines',
      symbols: SYMBOLS.length,
      lines: 36,
      offset: '0',
    },
  ];
  #gdb: DebugStatus['gdb'] = { address: '127.0.0.1:1234', client: null };
  #timer: ReturnType<typeof setInterval> | null = null;
  #runsUntil: (() => DebugStop | null) | null = null;
  readonly service: DebugService;

  constructor(machine: Machine) {
    this.#machine = machine;
    const subscription = machine.onState((state) => {
      if (state === 'running') this.#stop = null;
      else this.#stop ??= { kind: 'pause', text: 'Paused', breakpointId: null };
      this.#tick(state === 'running');
      this.#change();
    });
    this.#tick(machine.state === 'running');
    if (machine.state !== 'running') this.#stop = { kind: 'pause', text: 'Paused', breakpointId: null };
    this.service = {
      handlers: this.#handlers(),
      onChanged: this.#changed.event,
      onLogged: this.#logged.event,
      dispose: () => {
        subscription.dispose();
        this.#tick(false);
      },
    };
  }

  #tick(on: boolean): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = on ? setInterval(() => this.#run(), TICK_MS) : null;
  }

  #run(): void {
    for (let count = 0; count < INSTRUCTIONS_A_TICK; count++) {
      this.guest.step();
      const stop = this.#stopHere() ?? this.#runsUntil?.() ?? null;
      if (stop !== null) return this.#halt(stop);
    }
  }

  #halt(stop: DebugStop): void {
    this.#runsUntil = null;
    this.#stop = stop;
    this.#machine.pause();
  }

  #change(): void {
    this.#revision++;
    this.#changed.fire(this.status());
  }

  #stopHere(): DebugStop | null {
    for (const breakpoint of this.#breakpoints) {
      if (!breakpoint.enabled || !this.#hits(breakpoint)) continue;
      if (breakpoint.condition !== '' && !this.#holds(breakpoint.condition)) continue;
      breakpoint.hits++;
      if (breakpoint.hits <= breakpoint.ignoreHits) continue;
      if (breakpoint.log !== '') {
        this.#logged.fire(breakpoint.log.replace(/\{([^}]+)\}/g, (_, text: string) => `${hex(this.evaluate(text))}h`));
        continue;
      }
      if (breakpoint.oneShot) this.#breakpoints = this.#breakpoints.filter((other) => other !== breakpoint);
      const where = `Breakpoint ${breakpoint.id} · ${breakpoint.text} · hit ${breakpoint.hits}`;
      return {
        kind: breakpoint.where.kind === 'data' ? 'watchpoint' : 'breakpoint',
        text: where,
        breakpointId: breakpoint.id,
      };
    }
    return null;
  }

  #hits({ where, address }: Breakpoint): boolean {
    const { happened, eip } = this.guest;
    switch (where.kind) {
      case 'execute':
        return address !== null && parseInt(address, 16) === eip;
      case 'data':
        return (
          happened.written !== null &&
          address !== null &&
          happened.written >= parseInt(address, 16) &&
          happened.written < parseInt(address, 16) + where.length
        );
      case 'port':
        return happened.port !== null && happened.port >= where.from && happened.port <= where.to;
      case 'interrupt':
        return happened.interrupt && (where.vector === null || where.vector === 0x20);
      case 'control-register':
        return (
          happened.exit === 'control-register' &&
          PROGRAM.get(eip - 3)?.text.startsWith(`mov ${where.register}`) === true
        );
      case 'address-space':
        return happened.exit === 'control-register';
      case 'exit':
        return happened.exit === where.exitClass;
      default:
        return false;
    }
  }

  /** `eax == 40h` and the like. */
  #holds(condition: string): boolean {
    const match = /^(.+?)\s*(==|!=|<|>)\s*(.+)$/.exec(condition);
    if (match === null) return this.evaluate(condition) !== 0;
    const [left, right] = [this.evaluate(match[1]!), this.evaluate(match[3]!)];
    return { '==': left === right, '!=': left !== right, '<': left < right, '>': left > right }[match[2]!]!;
  }

  evaluate(expression: string): number {
    const terms = expression.replaceAll(/\s/g, '').split(/(?=[+-])/);
    return (
      terms.reduce((sum, term) => sum + (term.startsWith('-') ? -1 : 1) * this.#term(term.replace(/^[+-]/, '')), 0) >>>
      0
    );
  }

  #term(term: string): number {
    const lower = term.toLowerCase();
    const symbol = SYMBOLS.find(({ name }) => name === term);
    if (symbol !== undefined) return symbol.address;
    if ((REGISTERS as readonly string[]).includes(lower)) return this.guest.registers[lower as Register];
    if (lower === 'eip') return this.guest.eip;
    if (lower === 'eflags') return this.guest.eflags;
    if (lower === 'cr3') return this.guest.cr3;
    const memory = /^\[(.+)\]$/.exec(term);
    if (memory !== null) return this.guest.read32(this.evaluate(memory[1]!));
    if (/^(0x)?[0-9a-f]+h?$/.test(lower)) return parseInt(lower.replace(/^0x|h$/g, ''), 16);
    return bad(`There is no register or symbol "${term}".`);
  }

  place(address: number): DebugPlace {
    const line = PROGRAM.get(address)?.line ?? null;
    return {
      address: hex(address),
      symbol: symbolOf(address),
      source: line === null ? null : { file: SOURCE_FILE, line },
    };
  }

  status(): DebugStatus {
    return {
      state: this.#machine.state,
      stop: this.#machine.state === 'running' ? null : this.#stop,
      revision: this.#revision,
      instructions: this.guest.instructions,
      guestNs: this.guest.instructions * 3,
      place: this.place(this.guest.eip),
      mode: { name: '32-bit protected mode', bits: 32, privilege: 0, paging: true },
      symbols: this.#symbols,
      gdb: this.#gdb,
    };
  }

  #control(control: DebugControl): void {
    const step = (text: string): void => {
      this.#stop = { kind: 'step', text, breakpointId: null };
      this.#change();
    };
    const runTo = (done: () => boolean, text: string): void => {
      this.#runsUntil = () => (done() ? { kind: 'run-to', text, breakpointId: null } : null);
      this.#machine.start();
    };
    switch (control.action) {
      case 'pause':
        return this.#halt({ kind: 'pause', text: 'Paused', breakpointId: null });
      case 'continue':
        return this.#machine.start();
      case 'step-into':
        for (let count = 0; count < control.count; count++) this.guest.step();
        return step(`Step · ${this.place(this.guest.eip).symbol ?? ''}`);
      case 'step-line':
      case 'step-over': {
        const { eip } = this.guest;
        const depth = this.guest.registers.esp;
        const isCall = PROGRAM.get(eip)?.text.startsWith('call') === true;
        do this.guest.step();
        while (isCall && this.guest.registers.esp < depth && this.#stopHere() === null);
        return step(`Step over · ${this.place(this.guest.eip).symbol ?? ''}`);
      }
      case 'step-out': {
        const depth = this.guest.registers.ebp + 4;
        for (let count = 0; count < 5000 && this.guest.registers.esp <= depth; count++) this.guest.step();
        return step(`Step out · ${this.place(this.guest.eip).symbol ?? ''}`);
      }
      case 'run-to': {
        const target = this.evaluate(control.target);
        return runTo(() => this.guest.eip === target, `Run to ${symbolOf(target) ?? hex(target)}`);
      }
      case 'run-to-event': {
        const { guest } = this;
        const test = {
          interrupt: () => guest.happened.interrupt,
          iret: () => guest.happened.iret,
          exit: () => guest.happened.exit !== null,
        };
        const done =
          (test as Partial<Record<string, () => boolean>>)[control.event] ??
          (() => guest.happened.exit === 'control-register');
        return runTo(done, `Next ${control.event}`);
      }
      case 'run-until':
        return runTo(() => this.#holds(control.condition), `${control.condition} holds`);
    }
  }

  #disassemble(at: number, before: number, count: number): DisassemblyLine[] {
    const all = [...PROGRAM.values()].sort((a, b) => a.address - b.address);
    const lines: DisassemblyLine[] = [];
    let address = at;
    const earlier = all.filter((one) => one.address < at && one.address + before >= at - 64).slice(-before);
    const first = all.find((one) => one.address < at && one.address + one.bytes.length > at);
    if (before > 0) address = earlier[0]?.address ?? at - before;
    if (first !== undefined && before === 0) address = at;
    while (lines.length < count + before) {
      const known = PROGRAM.get(address);
      if (address >= 0x80110000) {
        lines.push(this.#line(address, null, undefined));
        address += 1;
      } else {
        lines.push(this.#line(address, known?.bytes ?? [this.guest.read8(address)], known));
        address += known?.bytes.length ?? 1;
      }
    }
    return lines;
  }

  #line(address: number, bytes: readonly number[] | null, known: Instruction | undefined): DisassemblyLine {
    const target = known === undefined ? null : /(?:call|jmp|je) ([\w]+?)h?$/.exec(known.text);
    const targetAddress = target === null ? null : this.evaluate(target[1]!);
    const breakpoint = this.#breakpoints.find((one) => one.where.kind === 'execute' && one.address === hex(address));
    const current = address === this.guest.eip;
    const taken = (this.guest.eflags & 0x40) !== 0;
    return {
      address: hex(address),
      bytes: bytes === null ? null : Uint8Array.from(bytes),
      parts:
        bytes === null
          ? [{ text: '??', kind: 'text' }]
          : partsOf(known?.text ?? `db ${bytes[0]!.toString(16).padStart(2, '0')}h`),
      label: SYMBOLS.find((symbol) => symbol.address === address)?.name ?? null,
      source: known?.line == null ? null : { file: SOURCE_FILE, line: known.line },
      target: targetAddress === null ? null : this.place(targetAddress),
      note: current && known?.text.startsWith('je') ? (taken ? 'ZF=1: will be taken' : 'ZF=0: not taken') : '',
      current,
      sensitive: known?.sensitive ?? null,
      privileged: known?.privileged ?? false,
      breakpoint:
        breakpoint === undefined
          ? null
          : { id: breakpoint.id, enabled: breakpoint.enabled, conditional: breakpoint.condition !== '' },
    };
  }

  #describe(specification: BreakpointSpecification): Pick<Breakpoint, 'text' | 'address' | 'problem'> {
    const { where } = specification;
    if (where.kind === 'execute' || where.kind === 'data') {
      try {
        const address = this.evaluate(where.at);
        const place = symbolOf(address) ?? hex(address);
        return {
          text: where.kind === 'data' ? `${place}, ${where.length}` : place,
          address: hex(address),
          problem: null,
        };
      } catch (error) {
        return { text: where.at, address: null, problem: (error as Error).message };
      }
    }
    const text =
      where.kind === 'port'
        ? `port ${where.from.toString(16).toUpperCase()}h${where.to === where.from ? '' : `-${where.to.toString(16).toUpperCase()}h`}, ${where.access}`
        : where.kind === 'exit'
          ? where.exitClass
          : where.kind === 'instruction'
            ? where.class
            : where.kind === 'control-register'
              ? where.register.toUpperCase()
              : where.kind.replaceAll('-', ' ');
    return { text, address: null, problem: null };
  }

  #handlers(): DebugService['handlers'] {
    const { guest } = this;
    const settle = async (waitMs: number, done: () => boolean): Promise<DebugStatus> => {
      const end = performance.now() + waitMs;
      while (!done() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
      return this.status();
    };
    const mapped = (space: string, address: number): boolean =>
      space === 'physical' ? address < 0x8000000 : address >= 0x80000000 && address < 0x80110000;
    const find = (id: number): Breakpoint =>
      this.#breakpoints.find((one) => one.id === id) ?? bad(`There is no breakpoint ${id}.`);
    return {
      'debug.status': () => this.status(),
      'debug.control': ({ control, waitMs }) => {
        const runs = this.#machine.state === 'running';
        if (runs !== (control.action === 'pause') && (runs || control.action === 'pause')) {
          throw new Failure('wrong-state', runs ? 'The guest runs.' : 'The guest stands already.');
        }
        this.#control(control);
        return settle(control.action === 'continue' ? 0 : waitMs, () => this.#machine.state !== 'running');
      },
      'debug.wait': ({ revision, waitMs }) => settle(waitMs, () => this.#revision !== revision),
      'debug.registers': () => ({ groups: registersOf(guest), segments: segmentsOf(guest) }),
      'debug.setRegister': ({ name, value }) => {
        const key = name.toLowerCase();
        const number = this.evaluate(value);
        if ((REGISTERS as readonly string[]).includes(key)) guest.registers[key as Register] = number;
        else if (key === 'eip') guest.eip = number;
        else if (key === 'eflags') guest.eflags = number | 2;
        else bad(`${name} cannot be changed here.`);
        this.#change();
        return null;
      },
      'debug.evaluate': ({ expression }) => {
        const value = this.evaluate(expression);
        return {
          value: hex(value),
          signed: String(value | 0),
          place: symbolOf(value) === null ? null : this.place(value),
          text: `${hex(value)}h = ${value}`,
        };
      },
      'debug.disassemble': ({ at, before, count }) => ({ lines: this.#disassemble(this.evaluate(at), before, count) }),
      'debug.readMemory': ({ space, at, length }) => {
        const address = this.evaluate(at);
        const bytes = new Uint8Array(length);
        const unmapped: { from: number; to: number }[] = [];
        for (let index = 0; index < length; index++) {
          if (mapped(space, address + index)) bytes[index] = guest.read8(address + index);
          else if (unmapped.at(-1)?.to === index) unmapped.at(-1)!.to = index + 1;
          else unmapped.push({ from: index, to: index + 1 });
        }
        return { address: hex(address), bytes, unmapped };
      },
      'debug.writeMemory': ({ space, at, bytes }) => {
        const address = this.evaluate(at);
        if (!mapped(space, address)) bad(`${hex(address)} is not mapped.`);
        guest.memory.set(bytes, address & 0x1fffff);
        this.#change();
        return null;
      },
      'debug.searchMemory': async ({ from, to, pattern, limit, next }) => {
        await new Promise((resolve) => setTimeout(resolve, 120));
        const [first, last] = [this.evaluate(from), this.evaluate(to)];
        const start = next === null ? first : parseInt(next, 16);
        const end = Math.min(last, start + 0x20000, 0x80110000);
        const needle =
          pattern.kind === 'text'
            ? [...new TextEncoder().encode(pattern.value)]
            : pattern.kind === 'bytes'
              ? pattern.value.split(/\s+/).map((byte) => parseInt(byte, 16))
              : [0, 8, 16, 24].map((shift) => (this.evaluate(pattern.value) >> shift) & 0xff);
        if (needle.some(Number.isNaN)) bad('Bytes are written as pairs of hexadecimal digits.');
        const matches: string[] = [];
        for (let address = start; address < end && matches.length < limit; address++) {
          if (needle.every((byte, index) => guest.read8(address + index) === byte)) matches.push(hex(address));
        }
        const more = end < Math.min(last, 0x80110000);
        return { matches, next: more ? hex(end) : null, done: more ? (end - first) / (last - first) : 1 };
      },
      'debug.stack': ({ limit }) => {
        const frames = [
          {
            index: 0,
            place: this.place(guest.eip),
            frame: hex(guest.registers.ebp),
            function: symbolOf(guest.eip)?.split('+')[0] ?? '?',
            how: 'registers',
          },
        ];
        let { ebp } = guest.registers;
        while (ebp > 0x80000000 && frames.length < limit) {
          const caller = guest.read32(ebp + 4);
          if (caller === 0) break;
          ebp = guest.read32(ebp);
          frames.push({
            index: frames.length,
            place: this.place(caller),
            frame: hex(ebp),
            function: symbolOf(caller)?.split('+')[0] ?? '?',
            how: 'frame pointer',
          });
        }
        return { frames };
      },
      'debug.descriptors': ({ table }) => descriptorsOf(table),
      'debug.taskState': () => taskStateOf(),
      'debug.pageWalk': ({ at }) => pageWalkOf(guest, this.evaluate(at), mapped),
      'debug.addressSpace': () => ({
        paging: '32-bit, 4 KiB pages',
        root: hex(guest.cr3),
        truncated: false,
        ranges: [
          { from: '80000000', to: '80100000', physical: '0', rights: 'supervisor, writable', pages: 256, symbol: null },
          {
            from: '80100000',
            to: '80102000',
            physical: '100000',
            rights: 'supervisor, read-only',
            pages: 2,
            symbol: '_start',
          },
          {
            from: '80102000',
            to: '80110000',
            physical: '102000',
            rights: 'supervisor, writable',
            pages: 14,
            symbol: 'message',
          },
        ],
      }),
      'debug.tlb': () => ({
        entries: [
          {
            linear: '80100000',
            physical: '100000',
            privilege: 'supervisor' as const,
            readable: true,
            writable: false,
            global: false,
            code: true,
          },
          {
            linear: '80104000',
            physical: '104000',
            privilege: 'supervisor' as const,
            readable: true,
            writable: true,
            global: false,
            code: false,
          },
          {
            linear: '80106000',
            physical: '106000',
            privilege: 'supervisor' as const,
            readable: true,
            writable: true,
            global: false,
            code: false,
          },
        ],
      }),
      'debug.physicalMap': () => ({
        ranges: [
          { from: '0', to: 'a0000', kind: 'RAM', name: 'conventional memory' },
          { from: 'a0000', to: 'c0000', kind: 'device', name: 'vga0' },
          { from: 'f0000', to: '100000', kind: 'ROM', name: 'firmware' },
          { from: '100000', to: '8000000', kind: 'RAM', name: 'extended memory' },
        ],
      }),
      'debug.devices': () => ({ devices: devicesOf(guest) }),
      'debug.breakpoints': () => ({ breakpoints: [...this.#breakpoints] }),
      'debug.setBreakpoint': ({ breakpoint }) => {
        const made: Breakpoint = { ...breakpoint, ...this.#describe(breakpoint), id: this.#nextId++, hits: 0 };
        if (breakpoint.condition !== '') this.#holds(breakpoint.condition);
        this.#breakpoints = [...this.#breakpoints, made];
        this.#change();
        return made;
      },
      'debug.updateBreakpoint': ({ id, breakpoint }) => {
        if (breakpoint.condition !== '') this.#holds(breakpoint.condition);
        const changed = Object.assign(find(id), breakpoint, this.#describe(breakpoint));
        this.#change();
        return changed;
      },
      'debug.removeBreakpoint': ({ id }) => {
        find(id);
        this.#breakpoints = this.#breakpoints.filter((one) => one.id !== id);
        this.#change();
        return null;
      },
      'debug.loadSymbols': ({ path, offset }) => {
        const id = Math.max(0, ...this.#symbols.map((one) => one.id)) + 1;
        this.#symbols = [
          ...this.#symbols,
          { id, path, kind: 'System.map', symbols: 3, lines: 0, offset: hex(this.evaluate(offset)) },
        ];
        this.#change();
        return { id, symbols: 3, lines: 0, warnings: ['Line 4 is not an address, a letter and a name: left out.'] };
      },
      'debug.unloadSymbols': ({ id }) => {
        this.#symbols = this.#symbols.filter((one) => one.id !== id);
        this.#change();
        return null;
      },
      'debug.findSymbols': ({ text, limit }) => ({
        symbols: SYMBOLS.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()))
          .slice(0, limit)
          .map((symbol) => ({ ...symbol, address: hex(symbol.address) })),
      }),
      'debug.source': ({ file }) => ({
        path: file === SOURCE_FILE ? `/home/me/${SOURCE_FILE}` : null,
        lines: file === SOURCE_FILE ? SOURCE_LINES : [],
        code: [...PROGRAM.values()].flatMap((one, index, all) =>
          one.line !== null && all[index - 1]?.line !== one.line ? [{ line: one.line, address: hex(one.address) }] : [],
        ),
      }),
      'debug.linuxTasks': () => ({
        tasks: [],
        problem: 'No loaded symbol file holds init_task: load the kernel’s symbols.',
      }),
      'debug.linuxModules': () => ({
        modules: [{ name: 'virtio_blk', base: 'c8812000', size: 20480, state: 'live' }],
        problem: null,
      }),
      'debug.linuxLog': () => ({
        text: '[    0.000000] Linux version 6.1.0\n[    0.004000] console [ttyS0] enabled\n',
        problem: null,
      }),
      'debug.monitor': ({ line }) => ({ output: this.#monitor(line) }),
      'debug.complete': ({ line }) => {
        const start = line.search(/\S*$/);
        const word = line.slice(start);
        const words =
          start === 0 ? ['break', 'continue', 'help', 'print', 'registers', 'step'] : SYMBOLS.map(({ name }) => name);
        return { candidates: words.filter((one) => one.startsWith(word)), start };
      },
      'debug.gdb': ({ listen }) => {
        this.#gdb = listen === null ? null : { address: `${listen.host}:${listen.port}`, client: null };
        this.#change();
        return { address: this.#gdb?.address ?? null, warning: null };
      },
      ...fakeTrapHandlers(guest, () => this.#machine.state),
    };
  }

  #monitor(line: string): string {
    const [name, ...rest] = line.trim().split(/\s+/);
    try {
      switch (name) {
        case 'help':
          return 'break PLACE      stop there\ncontinue         go on\nprint EXPRESSION its value\nregisters        all of them\nstep [COUNT]     one instruction or more\n';
        case 'print':
          return `${hex(this.evaluate(rest.join(' ')))}h\n`;
        case 'registers':
          return REGISTERS.map((one) => `${one} ${hex(this.guest.registers[one]).padStart(8, '0')}\n`).join('');
        case 'step':
          this.#control({ action: 'step-into', count: Number(rest[0] ?? 1) });
          return `${symbolOf(this.guest.eip) ?? hex(this.guest.eip)}\n`;
        case 'continue':
          this.#control({ action: 'continue' });
          return '';
        default:
          return `There is no command "${name}". Type help.\n`;
      }
    } catch (error) {
      return `${(error as Error).message}\n`;
    }
  }
}
