// The recorded cases reach every instruction of the decode tables that user mode can run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { Decoder } from '../../core/cpu/decode/decoder.ts';
import { handlerTable } from '../../core/cpu/decode/handlers.ts';
import { cpuModels } from '../../core/cpu/state/cpuModels.ts';
import { CODE_MODE } from '../../core/cpu/state/layout.ts';
import { STATE, unpackFixture } from '../oracle/caseFormat.ts';

/** Rows that depend on descriptor tables, clocks or the operating system, or never end an instruction of their own. */
const ELSEWHERE =
  /far|segment|Segment|interruptReturn|sys|Timestamp|Performance|cpuid|undefined|tooLong|Ldtr|Tr$|Gdtr|Idtr|MachineStatus|Access|Limit|verify|adjustRpl|clearInterruptFlag|xsave|xrstor|Extended|xgetbv|xsetbv|swapGs|random|Msr|Cs$|invalidateContext/i;

it('covers the rows of the decode tables', () => {
  const reached = new Set<string>();
  for (const [bitness, modes] of [[32, [CODE_MODE.code32]], [64, [CODE_MODE.code64]]] as const) {
    const bytes = brotliDecompressSync(readFileSync(join(import.meta.dirname, 'fixtures', 'silicon', `cases.${bitness}.br`)));
    const decoder = new Decoder(cpuModels.max);
    for (const { input } of unpackFixture(bytes)) {
      const code = input.bytes.subarray(STATE.code, STATE.code + 16);
      for (const mode of modes) {
        if (decoder.decode(code, 0, 16, mode, 0) === 'ok') reached.add(decoder.specification.row.name);
      }
    }
  }
  const names = new Set(handlerTable.handlers.map(({ row }) => row.name).filter((name) => !ELSEWHERE.test(name)));
  const missing = [...names].filter((name) => !reached.has(name));
  expect(missing).toEqual([]);
});
