// The three dimensions of Popek and Goldberg as figures of one guest.
import type { TrapSummary } from '../../core/api/debug.ts';
import { countText, groupedText } from '../components/format.ts';

export interface Figure {
  readonly id: 'efficiency' | 'safety' | 'fidelity';
  readonly title: string;
  readonly value: string;
  readonly text: string;
  readonly definition: string;
}

export const exitCount = ({ classes }: TrapSummary): number => classes.reduce((sum, { count }) => sum + count, 0);

/** As many nines as there are: 99.9992 %, never a rounded 100. */
export function shareText(part: number, whole: number): string {
  if (whole <= 0) return 'no figure yet';
  if (part <= 0) return '100 %';
  const missing = part / whole;
  const decimals = Math.min(6, Math.max(1, Math.ceil(-Math.log10(missing) - 2)));
  return `${(100 * (1 - missing)).toFixed(decimals)} %`;
}

export function costText(ns: number): string {
  if (ns < 1000) return `${Math.round(ns)} ns`;
  if (ns < 1_000_000) return `${(ns / 1000).toFixed(ns < 10_000 ? 2 : 1)} µs`;
  return `${(ns / 1_000_000).toFixed(ns < 10_000_000 ? 2 : 1)} ms`;
}

export function figuresOf(summary: TrapSummary, exitsPerSecond: number): readonly Figure[] {
  const exits = exitCount(summary);
  const between = exits === 0 ? null : summary.instructions / exits;
  const refused = summary.guestErrors;
  return [
    {
      id: 'efficiency',
      title: 'Efficiency',
      value: shareText(exits, summary.instructions),
      text: `ran without the hypervisor${between === null ? '' : `, ${countText(between)} instructions between exits`}; ${countText(exitsPerSecond)} exits/s`,
      definition:
        'Share of the instructions since power-on that the engine executed without leaving for the hypervisor. Popek and Goldberg: all innocuous instructions are executed by the hardware directly; here the engine stands for the hardware.',
    },
    {
      id: 'safety',
      title: 'Safety',
      value: `${countText(summary.sensitiveTrapped)} trapped`,
      text: 'sensitive instructions that never reached the host: each would have read or changed its state',
      definition:
        'Sensitive instructions that were handled on the guest’s state instead of the host’s. Popek and Goldberg: resource control, no guest can affect what was not given to it. The audit below says for each what it would have done.',
    },
    {
      id: 'fidelity',
      title: 'Fidelity',
      value: `${groupedText(refused)} guest errors`,
      text: `${groupedText(summary.unclaimedAccesses.reduce((sum, { reads, writes }) => sum + reads + writes, 0))} accesses that no device answered; CPU: ${summary.cpuModel}`,
      definition:
        'Where the guest asked for what this machine lacks or does differently. Popek and Goldberg: equivalence, a program behaves as it would on the real machine, but for timing and availability. 0 is what a complete machine shows.',
    },
  ];
}

export interface TimeShare {
  readonly id: string;
  readonly label: string;
  readonly ms: number;
  readonly share: number;
}

export function timeShares({ timeMs, hostMs }: TrapSummary): readonly TimeShare[] {
  const known = timeMs.engine + timeMs.hypervisor + timeMs.devices + timeMs.idle;
  const whole = Math.max(hostMs, known, 1);
  return (
    [
      ['engine', 'Guest code in the engine'],
      ['hypervisor', 'Hypervisor'],
      ['devices', 'Devices'],
      ['idle', 'Idle'],
    ] as const
  ).map(([id, label]) => ({ id, label, ms: timeMs[id], share: timeMs[id] / whole }));
}

/** Labels of the latency histogram: under 1 us, 2, 4, ... */
export function latencyLabel(index: number, count: number): string {
  if (index === 0) return 'under 1 µs';
  if (index === count - 1) return `${2 ** (index - 1)} µs and more`;
  return `${2 ** (index - 1)} to ${2 ** index} µs`;
}
