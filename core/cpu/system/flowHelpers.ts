// Far transfers, interrupts, flags and stack frames.
import type { Cpu } from '../cpu.ts';
import { raise, VECTOR } from './faults.ts';
import { CS, FIELD, FLAG, HELPER, RBP, RSP, SS } from '../state/layout.ts';
import { callFar, jumpFar, returnFar, sysenter, sysexit } from './farTransfers.ts';
import type { HelperBody } from './helpers.ts';
import { deliverFault, interruptReturn, softwareInterrupt } from './interrupts.ts';
import { mergeFlags } from './returns.ts';
import { syscall, sysret } from './longMode.ts';
import type { Operands } from './operands.ts';
import { Stack } from './stack.ts';
import { actsOnVirtualFlag, clearVirtualFlag, mergeVirtual, setVirtualFlag, usesExtensions, virtualImage } from './virtualFlags.ts';
import { hasFeature } from '../state/cpuModels.ts';

/** The run loop must look when an interrupt can come in or single-stepping starts. */
export function afterFlags(cpu: Cpu, next: number): number {
  const flags = cpu.get32(FIELD.eflags);
  const look = (flags & FLAG.TF) !== 0 || ((flags & FLAG.IF) !== 0 && cpu.get32(FIELD.interruptPending) !== 0);
  if (!look) return HELPER.next;
  cpu.rip = next;
  return HELPER.exit;
}

/** As afterFlags when `rip` is set already. */
const afterTransfer = (cpu: Cpu): number =>
  afterFlags(cpu, cpu.rip) === HELPER.exit || cpu.activity !== 'running' || cpu.get32(FIELD.pendingDebug) !== 0
    ? HELPER.exit
    : HELPER.jump;

function transfer(cpu: Cpu, body: () => void, isInterruptReturn: 0 | 1 = 0): number {
  body();
  cpu.host.exit('far-transfer', cpu.selector(CS), cpu.rip, isInterruptReturn);
  return afterTransfer(cpu);
}

/** INT n, INT3 and INTO: counted as what they are, not as far transfers too. */
function interrupt(cpu: Cpu, vector: number, next: number, origin: 'software' | 'breakpoint'): number {
  softwareInterrupt(cpu, vector, next, origin);
  return afterTransfer(cpu);
}

/** PUSHF (SDM 2B). In virtual-8086 mode IOPL below 3 faults, but for 16 bits under VME. */
const pushFlags: HelperBody = (cpu, o) => {
  const isVirtual = usesExtensions(cpu);
  if (isVirtual && o.size === 4) raise(VECTOR.GP, 0);
  if (cpu.visibleFlags) cpu.host.exit('flags', cpu.eflags);
  const stack = Stack.current(cpu);
  stack.push((isVirtual ? virtualImage(cpu) : cpu.eflags) & ~(FLAG.VM | FLAG.RF), o.width);
  stack.commit();
};

const popFlags: HelperBody = (cpu, o) => {
  const isVirtual = usesExtensions(cpu);
  if (isVirtual && o.size === 4) raise(VECTOR.GP, 0);
  const stack = Stack.current(cpu);
  const value = stack.popWords(o.width)[0] | 0;
  const merged = isVirtual ? mergeVirtual(cpu, value) : mergeFlags(cpu, value, o.size, cpu.cpl);
  stack.commit();
  // POPF never changes VM and VIP, VIF under VME only, and clears RF.
  const kept = FLAG.VM | FLAG.VIP | (isVirtual ? 0 : FLAG.VIF);
  cpu.eflags = (merged & ~(kept | FLAG.RF)) | (cpu.eflags & kept);
  if (cpu.visibleFlags) cpu.host.exit('flags', cpu.eflags);
  return afterFlags(cpu, o.next);
};

/** STI: the instruction behind it still runs before an interrupt (SDM 2B STI). */
const setInterruptFlag: HelperBody = (cpu, o) => {
  if (actsOnVirtualFlag(cpu)) {
    setVirtualFlag(cpu);
    if (cpu.visibleFlags) cpu.host.exit('flags', cpu.eflags);
    return HELPER.next;
  }
  const flags = cpu.get32(FIELD.eflags);
  if (cpu.visibleFlags) cpu.host.exit('flags', cpu.eflags | FLAG.IF);
  if ((flags & FLAG.IF) !== 0) return HELPER.next;
  cpu.set32(FIELD.eflags, flags | FLAG.IF);
  cpu.shadowAt = o.next;
  if (cpu.get32(FIELD.interruptPending) === 0) return HELPER.next;
  cpu.interruptShadow = true;
  cpu.rip = o.next;
  return HELPER.exit;
};

/** CLI where somebody wants to see it (SDM 2A CLI); otherwise it is no helper. */
const clearInterruptFlag: HelperBody = (cpu) => {
  if (actsOnVirtualFlag(cpu)) clearVirtualFlag(cpu);
  else cpu.set32(FIELD.eflags, cpu.get32(FIELD.eflags) & ~FLAG.IF);
  if (cpu.visibleFlags) cpu.host.exit('flags', cpu.eflags);
};

const farPointer = (o: Operands): { offset: number; selector: number } => {
  const offset = o.width === 8 ? o.readWide(0) : o.readM(0, o.size);
  return { offset, selector: o.readM(o.width, 2) };
};

/** SDM 2B PUSHA/PUSHAD. */
const pushAll: HelperBody = (cpu, o) => {
  const stack = Stack.current(cpu);
  const before = cpu.reg32(RSP);
  for (let index = 0; index < 8; index++) stack.push(index === RSP ? before : cpu.reg32(index), o.size);
  stack.commit();
};

const popAll: HelperBody = (cpu, o) => {
  const stack = Stack.current(cpu);
  const values = [7, 6, 5, 4, 3, 2, 1, 0].map((index) => [index, stack.pop(o.size)] as const);
  for (const [index, value] of values) if (index !== RSP) o.setRegister(index * 8, value, o.size);
  stack.commit();
};

/** ENTER in 64-bit mode: operands of 64 or 16 bits. */
function enterWide(cpu: Cpu, o: Operands): void {
  const level = o.disp & 31, size = o.width, at = FIELD.gpr + RBP * 8;
  const stack = Stack.current(cpu), frame = cpu.getWide(at);
  if (size === 8) stack.pushWords(cpu.get32(at), cpu.get32(at + 4));
  else stack.push(frame, size);
  const frameTop = stack.pointer;
  if (level > 0) {
    const display = Stack.current(cpu);
    for (let index = 1; index < level; index++) {
      display.pointer = frame - size * index;
      const [low, high] = display.popWords(size);
      if (size === 8) stack.pushWords(low, high);
      else stack.push(low, size);
    }
    stack.push(frameTop, size);
  }
  stack.skip(-(o.imm & 0xffff));
  cpu.probeWrite(cpu.canonical(stack.pointer, 1, true), 1);
  stack.commit();
  o.setRegister(RBP * 8, frameTop, size === 8 ? 8 : 2);
}

/** SDM 2A ENTER. */
const enter: HelperBody = (cpu, o) => {
  if (cpu.is64) {
    enterWide(cpu, o);
    return;
  }
  const level = o.disp & 31, size = o.size;
  const stack = Stack.current(cpu);
  const frame = cpu.reg32(RBP);
  stack.push(frame, size);
  const frameTop = stack.pointer;
  if (level > 0) {
    const display = Stack.current(cpu);
    display.pointer = frame;
    for (let index = 1; index < level; index++) stack.push(display.peek(-size * index, size), size);
    stack.push(frameTop, size);
  }
  stack.skip(-(o.imm & 0xffff));
  // The new top must be writable (SDM: #SS or #PF if it is not).
  cpu.probeWrite(cpu.linearAddress(SS, (stack.pointer & cpu.get32(FIELD.stackMask)) >>> 0, 1, true), 1);
  stack.commit();
  const mask = cpu.get32(FIELD.stackMask);
  o.setRegister(RBP * 8, size === 2 ? frameTop : ((frame & ~mask) | (frameTop & mask)) >>> 0, size);
};

const breakpoint: HelperBody = (cpu, o) =>
  interrupt(cpu, VECTOR.BP, o.next, 'breakpoint');

/** ICEBP is a trap like a debug exception, not a software interrupt. */
const icebp: HelperBody = (cpu, o) => {
  cpu.rip = o.next;
  cpu.host.exit('exception', VECTOR.DB, 0, o.next);
  deliverFault(cpu, VECTOR.DB, 0, true);
  return afterTransfer(cpu);
};

const bound: HelperBody = (_cpu, o) => {
  const shift = o.size === 2 ? 16 : 0;
  const signed = (value: number): number => (value << shift) >> shift;
  const index = signed(o.register(o.a, o.size));
  if (index < signed(o.readM(0, o.size)) || index > signed(o.readM(o.size, o.size))) raise(VECTOR.BR);
};

export const flowHelpers: Readonly<Record<string, HelperBody>> = {
  pushFlags,
  popFlags,
  setInterruptFlag,
  clearInterruptFlag,
  pushAll,
  popAll,
  enter,
  breakpoint,
  icebp,
  bound,
  softwareInterrupt: (cpu, o) => interrupt(cpu, o.imm & 0xff, o.next, 'software'),
  interruptOnOverflow: (cpu, o) => {
    if ((cpu.eflags & FLAG.OF) === 0) return HELPER.next;
    return interrupt(cpu, VECTOR.OF, o.next, 'breakpoint');
  },
  interruptReturn: (cpu, o) =>
    transfer(cpu, () => interruptReturn(cpu, o.width, o.next), 1),
  callFar: (cpu, o) => transfer(cpu, () => callFar(cpu, o.imm & 0xffff, o.disp >>> 0, o.size, o.next)),
  jumpFar: (cpu, o) => transfer(cpu, () => jumpFar(cpu, o.imm & 0xffff, o.disp >>> 0, o.next)),
  callFarIndirect: (cpu, o) =>
    transfer(cpu, () => {
      const { offset, selector } = farPointer(o);
      callFar(cpu, selector, offset, o.width, o.next);
    }),
  jumpFarIndirect: (cpu, o) =>
    transfer(cpu, () => {
      const { offset, selector } = farPointer(o);
      jumpFar(cpu, selector, offset, o.next);
    }),
  returnFar: (cpu, o) => transfer(cpu, () => returnFar(cpu, o.width, o.specification.row.operands[0] === 'Iw' ? o.imm & 0xffff : 0)),
  sysenter: (cpu) => {
    if (!hasFeature(cpu.model, 'SEP')) raise(VECTOR.UD);
    return transfer(cpu, () => sysenter(cpu));
  },
  sysexit: (cpu, o) => {
    if (!hasFeature(cpu.model, 'SEP')) raise(VECTOR.UD);
    return transfer(cpu, () => sysexit(cpu, o.width));
  },
  syscall: (cpu, o) => {
    syscall(cpu, o.next);
    return afterTransfer(cpu);
  },
  sysret: (cpu, o) => {
    sysret(cpu, o.width);
    return afterTransfer(cpu);
  },
};
