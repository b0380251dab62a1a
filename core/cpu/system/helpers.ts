// The helpers that helper rows name, bound to one CPU and found by handler index.
import type { Cpu } from '../cpu.ts';
import { handlerTable, PSEUDO_COUNT } from '../decode/handlers.ts';
import { HELPER } from '../state/layout.ts';
import { decimalHelpers } from './decimalHelpers.ts';
import { flowHelpers } from './flowHelpers.ts';
import { ioHelpers } from './ioHelpers.ts';
import { Operands } from './operands.ts';
import { segmentHelpers } from './segmentHelpers.ts';
import { systemHelpers } from './systemHelpers.ts';
import { cryptoHelpers } from '../vector/crypto.ts';
import { stringHelpers } from '../vector/strings.ts';
import { x87Helpers } from '../x87/x87Helpers.ts';

/** Runs a helper on a record; returns a HELPER result, or faults by throwing. */
export type Helper = (record: number) => number;

/** A helper's body: returns a HELPER result, or nothing for HELPER.next. */
export type HelperBody = (cpu: Cpu, operands: Operands) => number | void;

export function createHelpers(cpu: Cpu): readonly (Helper | undefined)[] {
  const bodies: Readonly<Record<string, HelperBody>> = {
    ...decimalHelpers, ...flowHelpers, ...ioHelpers, ...segmentHelpers, ...systemHelpers, ...x87Helpers, ...cryptoHelpers,
    ...stringHelpers,
  };
  const operands = new Operands(cpu);
  const helpers: (Helper | undefined)[] = new Array<Helper | undefined>(PSEUDO_COUNT).fill(undefined);
  for (const specification of handlerTable.handlers) {
    if (specification.tier !== 'helper') {
      helpers.push(undefined);
      continue;
    }
    const body = bodies[specification.row.name];
    if (body === undefined) throw new Error(`no helper named ${specification.row.name}`);
    helpers.push((record) => body(cpu, operands.at(record, specification)) ?? HELPER.next);
  }
  return helpers;
}
