// Instruction text by iced-x86.
import type { Disassembler } from '../../core/host/disassembler.ts';

export function createIcedDisassembler(): Disassembler {
  throw new Error('the disassembler is not there yet');
}
