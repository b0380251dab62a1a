// The audit's counts of windows of a Linux boot against counters that this test keeps for itself: it decodes each instruction
// before it runs and counts by its own table.
import { Code, Decoder, DecoderOptions, Mnemonic, OpKind, Register } from 'iced-x86';
import { expect, it } from 'vitest';
import { CpuTarget } from '../../core/debugger/cpuTarget.ts';
import { linuxKernel } from './bootMachine.ts';
import { DebuggedGuest, tourConfiguration } from './debuggedGuest.ts';

type Counts = Record<string, { kernel: number; user: number }>;

const byMnemonic = new Map<Mnemonic, string>([
  [Mnemonic.Sgdt, 'SGDT'], [Mnemonic.Sidt, 'SIDT'], [Mnemonic.Sldt, 'SLDT'], [Mnemonic.Str, 'STR'], [Mnemonic.Smsw, 'SMSW'],
  [Mnemonic.Pushf, 'PUSHF'], [Mnemonic.Pushfd, 'PUSHF'], [Mnemonic.Popf, 'POPF'], [Mnemonic.Popfd, 'POPF'],
  [Mnemonic.Lar, 'LAR'], [Mnemonic.Lsl, 'LSL'], [Mnemonic.Verr, 'VERR'], [Mnemonic.Verw, 'VERW'],
  [Mnemonic.Retf, 'RET far'], [Mnemonic.Int, 'INT n'], [Mnemonic.Int3, 'INT n'], [Mnemonic.Into, 'INT n'],
  [Mnemonic.Iret, 'IRET'], [Mnemonic.Iretd, 'IRET'],
  [Mnemonic.Lds, 'LDS, LES, LFS, LGS, LSS'], [Mnemonic.Les, 'LDS, LES, LFS, LGS, LSS'], [Mnemonic.Lfs, 'LDS, LES, LFS, LGS, LSS'],
  [Mnemonic.Lgs, 'LDS, LES, LFS, LGS, LSS'], [Mnemonic.Lss, 'LDS, LES, LFS, LGS, LSS'],
  [Mnemonic.Arpl, 'ARPL'], [Mnemonic.Cpuid, 'CPUID'], [Mnemonic.Rdtsc, 'RDTSC, RDTSCP'], [Mnemonic.Rdtscp, 'RDTSC, RDTSCP'], [Mnemonic.Rdpmc, 'RDPMC'],
  [Mnemonic.Cli, 'CLI, STI'], [Mnemonic.Sti, 'CLI, STI'],
  [Mnemonic.In, 'IN, INS'], [Mnemonic.Insb, 'IN, INS'], [Mnemonic.Insw, 'IN, INS'], [Mnemonic.Insd, 'IN, INS'],
  [Mnemonic.Out, 'OUT, OUTS'], [Mnemonic.Outsb, 'OUT, OUTS'], [Mnemonic.Outsw, 'OUT, OUTS'], [Mnemonic.Outsd, 'OUT, OUTS'],
  [Mnemonic.Hlt, 'HLT'], [Mnemonic.Lmsw, 'LMSW'], [Mnemonic.Clts, 'CLTS'], [Mnemonic.Lgdt, 'LGDT'], [Mnemonic.Lidt, 'LIDT'],
  [Mnemonic.Lldt, 'LLDT'], [Mnemonic.Ltr, 'LTR'], [Mnemonic.Invlpg, 'INVLPG'], [Mnemonic.Invd, 'INVD, WBINVD'],
  [Mnemonic.Invpcid, 'INVPCID'], [Mnemonic.Swapgs, 'SWAPGS'], [Mnemonic.Stac, 'STAC, CLAC'], [Mnemonic.Clac, 'STAC, CLAC'],
  [Mnemonic.Xsetbv, 'XSETBV'], [Mnemonic.Pushfq, 'PUSHF'], [Mnemonic.Popfq, 'POPF'], [Mnemonic.Iretq, 'IRET'],
  [Mnemonic.Wbinvd, 'INVD, WBINVD'], [Mnemonic.Rdmsr, 'RDMSR'], [Mnemonic.Wrmsr, 'WRMSR'],
]);
const SEGMENTS = new Set([Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS]);
const FAR = new Map<Code, string>([
  [Code.Call_m1616, 'CALL far'], [Code.Call_m1632, 'CALL far'], [Code.Call_ptr1616, 'CALL far'], [Code.Call_ptr1632, 'CALL far'],
  [Code.Jmp_m1616, 'JMP far'], [Code.Jmp_m1632, 'JMP far'], [Code.Jmp_ptr1616, 'JMP far'], [Code.Jmp_ptr1632, 'JMP far'],
]);

/** Row of the audit for the bytes of an instruction; null: it is none of them. */
function rowOf(bytes: Uint8Array, bits: number): string | null {
  const decoder = new Decoder(bits, bytes, DecoderOptions.None);
  const instruction = decoder.decode();
  try {
    const { mnemonic, code } = instruction;
    const simple = byMnemonic.get(mnemonic) ?? FAR.get(code);
    if (simple !== undefined) return simple;
    const first = instruction.op0Kind === OpKind.Register ? instruction.op0Register : Register.None;
    const second = instruction.opCount > 1 && instruction.op1Kind === OpKind.Register ? instruction.op1Register : Register.None;
    if (mnemonic === Mnemonic.Push && SEGMENTS.has(first)) return 'PUSH segment';
    if (mnemonic === Mnemonic.Pop && SEGMENTS.has(first)) return 'POP segment';
    if (mnemonic !== Mnemonic.Mov) return null;
    if (SEGMENTS.has(first)) return 'MOV segment, r';
    if (SEGMENTS.has(second)) return 'MOV r, segment';
    const isControl = (register: Register): boolean => register >= Register.CR0 && register <= Register.CR15;
    const isDebug = (register: Register): boolean => register >= Register.DR0 && register <= Register.DR15;
    if (isControl(first)) return 'MOV to CR';
    if (isControl(second)) return 'MOV from CR';
    if (isDebug(first)) return 'MOV to DR';
    return isDebug(second) ? 'MOV from DR' : null;
  } finally {
    instruction.free();
    decoder.free();
  }
}

async function auditOf(guest: DebuggedGuest): Promise<Counts> {
  const { rows } = await guest.handlers['traps.audit']({});
  return Object.fromEntries(rows.map(({ instruction, kernel, user }) => [instruction, { kernel, user }]));
}

/** Lets the machine go on for `count` instructions, one at a time, and counts each before it runs. */
async function countWindow(guest: DebuggedGuest, count: number): Promise<Counts> {
  const { machine } = guest.guest;
  const { hypervisor } = machine.inspection;
  const target = new CpuTarget(hypervisor.cpu, hypervisor.physical);
  const counts: Counts = {};
  /** What bytes stand for, so that each is decoded once. */
  const known = new Map<string, string | null>();
  const next = (): { row: string | null; ring: 'user' | 'kernel' } => {
    const { bits, privilege } = target.mode();
    const { bytes, unmapped } = target.memory.readPartly('linear', target.programCounter, 15);
    const code = Buffer.from(bytes.subarray(0, unmapped[0]?.from ?? 15));
    const key = `${bits}:${code.toString('latin1')}`;
    let row = known.get(key);
    if (row === undefined) known.set(key, (row = code.length === 0 ? null : rowOf(code, bits)));
    return { row, ring: privilege === 3 ? 'user' : 'kernel' };
  };
  let coming = next(), left = count;
  hypervisor.setControl({
    single: true,
    wanted: false,
    exit() {},
    exitBegins() {},
    exitEnds() {},
    stopsHere(ended) {
      if (ended !== null) {
        if (coming.row !== null) (counts[coming.row] ??= { kernel: 0, user: 0 })[coming.ring]++;
        left--;
      }
      // Also after an interrupt came in between.
      coming = next();
      return left <= 0;
    },
  });
  machine.start();
  await guest.guest.waitForState('paused', 120);
  hypervisor.setControl(null);
  return counts;
}

/** What a window adds to the audit's rows, without those that it leaves alone. */
function difference(before: Counts, after: Counts): Counts {
  const rows = Object.entries(after).map(([row, { kernel, user }]) => [row, { kernel: kernel - before[row]!.kernel, user: user - before[row]!.user }] as const);
  return Object.fromEntries(rows.filter(([, { kernel, user }]) => kernel !== 0 || user !== 0));
}

async function compareWindow(guest: DebuggedGuest, count: number): Promise<Counts> {
  const before = await auditOf(guest);
  const counted = await countWindow(guest, count);
  const audited = difference(before, await auditOf(guest));
  expect(audited).toEqual(counted);
  return counted;
}

it('agrees from the first instruction on, and while the kernel starts', async () => {
  using guest = new DebuggedGuest({ clock: 'virtual', memoryMiB: 64, kernel: linuxKernel('console=ttyS0 earlyprintk=ttyS0 loglevel=7') });
  const first = await compareWindow(guest, 200_000);
  expect(Object.keys(first).length).toBeGreaterThan(3);
  guest.guest.machine.runUntil(3_000_000_000);
  await guest.guest.waitForState('paused', 90);
  const later = await compareWindow(guest, 1_500_000);
  expect(Object.keys(later)).toEqual(expect.arrayContaining(['PUSHF', 'CLI, STI', 'IRET', 'WRMSR', 'PUSH segment']));
});

it('agrees where ring 3 tries them all and faults', async () => {
  using guest = new DebuggedGuest({ clock: 'virtual', ...tourConfiguration });
  guest.guest.machine.start();
  await guest.guest.waitForScreen('chapter 1 of 7', 20);
  guest.guest.machine.pause();
  guest.guest.send('34');
  const counted = await compareWindow(guest, 400_000);
  const inRing3 = Object.entries(counted).filter(([, { user }]) => user > 0).map(([row]) => row);
  expect(inRing3).toEqual(expect.arrayContaining(['HLT', 'IN, INS', 'LGDT', 'LTR', 'CLI, STI', 'SGDT', 'SMSW', 'PUSHF', 'POPF', 'STR']));
});
