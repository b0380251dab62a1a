// The x87 escape opcodes D8..DF (SDM 2D A.5).
import type { Row } from './row.ts';

/** The row of an escape opcode and its ModRM byte, or null where the x87 leaves it undefined. */
export function x87Row(_opcode: number, _modRm: number): Row | null {
  return null;
}

export const x87Rows = (): Iterable<Row> => [];
