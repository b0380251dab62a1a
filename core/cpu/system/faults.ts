// Exceptions that helpers raise.
import type { Cpu } from '../cpu.ts';
import { FIELD } from '../state/layout.ts';

/** Exception vectors (SDM 3A table 6-1). */
export const VECTOR = { DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19 } as const;

/** A fault of the instruction that a helper executes; thrown inside helpers only. */
export class GuestFault {
  vector = 0;
  errorCode = 0;
}
const thrownFault = new GuestFault();

/** Raises a fault from a helper; nothing of the instruction may have changed yet. */
export function raise(vector: number, errorCode = 0): never {
  thrownFault.vector = vector;
  thrownFault.errorCode = errorCode;
  throw thrownFault;
}
/** The fault that an access recorded: of a page, or of an address that is not canonical. */
export function raiseRecorded(cpu: Cpu): never {
  return raise(cpu.get32(FIELD.faultVector), cpu.get32(FIELD.faultError));
}
