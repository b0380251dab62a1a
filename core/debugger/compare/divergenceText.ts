// A divergence as lines of text.
import type { EngineName } from '../../cpu/state/engines.ts';
import type { Divergence } from './compareEngines.ts';
import type { InstructionPlace } from './comparedMachine.ts';

const hexBytes = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

function instructionLine({ number, address, bytes, text }: InstructionPlace, mark: string): string {
  const place = address.toString(16).padStart(address > 0xffffffffn ? 16 : 8, '0');
  return `${mark} ${String(number).padStart(12)}  ${place}  ${hexBytes(bytes).padEnd(24)}  ${text}`;
}

export function divergenceText({ instruction, until, differences, before }: Divergence, engines: readonly [EngineName, EngineName]): string[] {
  const head =
    until === null
      ? [`The engines differ at instruction ${instruction.number}:`]
      : [
          `The engines differ between instructions ${instruction.number} and ${until}; stepped singly, they agree:`,
          'what differs is how one of them runs several (cached records, pairs, regions).',
        ];
  const rows = [['', ...engines], ...differences.map(({ name, values }) => [name, ...values])];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column].length)));
  return [
    ...head,
    '',
    ...before.map((place) => instructionLine(place, ' ')),
    instructionLine(instruction, '>'),
    '',
    'Behind it:',
    ...rows.map((row) => `  ${row[0].padEnd(widths[0])}  ${row[1].padEnd(widths[1])}  ${row[2]}`.trimEnd()),
  ];
}
