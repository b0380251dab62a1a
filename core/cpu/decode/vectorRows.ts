// Vector instructions: MMX, SSE and what follows (SDM 2D A.3 to A.4), and those under a VEX prefix.
import type { Entry } from './row.ts';

export interface OpcodeMaps {
  readonly twoByte: Entry[];
  readonly map38: Entry[];
  readonly map3A: Entry[];
  readonly vex38: Entry[];
  readonly vex3A: Entry[];
}

export function defineVectorRows(_maps: OpcodeMaps): void {}
