// The decoder's lengths against another decoder's (iced-x86), over random instructions of every mode.
import { Decoder as Iced, DecoderOptions, Code } from 'iced-x86';
import { expect, it } from 'vitest';
import { Decoder } from '../../../core/cpu/decode/decoder.ts';
import { cpuModels } from '../../../core/cpu/state/cpuModels.ts';
import { CODE_MODE } from '../../../core/cpu/state/layout.ts';
import { Random } from '../../oracle/forms.ts';

const MODES = [[16, CODE_MODE.code16], [32, CODE_MODE.code32], [64, CODE_MODE.code64]] as const;
const CASES = 200_000;
const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x64, 0x48, 0x41, 0x4f];

/** Bytes that begin with what instructions begin with. */
function someBytes(random: Random): Uint8Array {
  const bytes = Uint8Array.from({ length: 16 }, () => random.next() & 0xff);
  let at = 0;
  while (random.below(3) === 0 && at < 3) bytes[at++] = random.pick(PREFIXES);
  if (random.below(2) === 0) {
    bytes[at++] = 0x0f;
    if (random.below(4) === 0) bytes[at++] = random.pick([0x38, 0x3a, 0x01, 0xae, 0xc7, 0x00]);
  }
  return bytes;
}

it.each(MODES)('%i-bit instructions are as long as another decoder finds them', (bits, mode) => {
  const random = new Random(bits);
  const decoder = new Decoder(cpuModels.max);
  const wrong: string[] = [];
  let compared = 0;
  for (let index = 0; index < CASES && wrong.length < 10; index++) {
    const bytes = someBytes(random);
    if (decoder.decode(bytes, 0, 16, mode, 0) !== 'ok' || decoder.specification.row.name === 'undefined') continue;
    const iced = new Iced(bits, bytes, DecoderOptions.NoInvalidCheck);
    const instruction = iced.decode();
    const { length, code } = instruction;
    instruction.free();
    iced.free();
    if (code === Code.INVALID) continue;
    compared++;
    if (length !== decoder.length) {
      wrong.push(`${Buffer.from(bytes).toString('hex')}: ${decoder.specification.row.mnemonic} ${decoder.length}, not ${length}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(compared).toBeGreaterThan(CASES / 4);
});
