// The panes of the debug workspace and how they are arranged at first.
export const PANES = [
  { id: 'disassembly', title: 'Disassembly' },
  { id: 'source', title: 'Source' },
  { id: 'registers', title: 'Registers' },
  { id: 'memory', title: 'Memory' },
  { id: 'stack', title: 'Call stack' },
  { id: 'breakpoints', title: 'Breakpoints' },
  { id: 'watch', title: 'Watch' },
  { id: 'walk', title: 'Page walk' },
  { id: 'address-space', title: 'Address space' },
  { id: 'descriptors', title: 'Descriptors' },
  { id: 'tlb', title: 'TLB' },
  { id: 'physical', title: 'Physical map' },
  { id: 'devices', title: 'Devices' },
  { id: 'linux', title: 'Linux' },
  { id: 'symbols', title: 'Symbols' },
  { id: 'monitor', title: 'Monitor' },
  { id: 'console', title: 'Console' },
] as const;
export type PaneId = (typeof PANES)[number]['id'];

export const paneTitle = (id: PaneId): string => PANES.find((pane) => pane.id === id)!.title;

/** One group of tabs; where it goes is told relative to a group made before it. */
export interface GroupPlan {
  readonly panes: readonly PaneId[];
  readonly beside?: { readonly pane: PaneId; readonly direction: 'right' | 'below' };
  /** Share of the workspace's width or height. */
  readonly share?: number;
}

export const WIDE_FROM = 1300;

/** Three columns as wide as the code, the state and the lists need. */
const wide: readonly GroupPlan[] = [
  { panes: ['disassembly', 'source'] },
  { panes: ['registers', 'descriptors', 'devices'], beside: { pane: 'disassembly', direction: 'right' }, share: 0.61 },
  { panes: ['stack', 'linux'], beside: { pane: 'registers', direction: 'right' }, share: 0.25 },
  { panes: ['monitor', 'watch', 'symbols'], beside: { pane: 'disassembly', direction: 'below' }, share: 0.3 },
  { panes: ['memory'], beside: { pane: 'registers', direction: 'below' }, share: 0.42 },
  { panes: ['breakpoints'], beside: { pane: 'stack', direction: 'below' }, share: 0.76 },
  {
    panes: ['walk', 'address-space', 'tlb', 'physical'],
    beside: { pane: 'breakpoints', direction: 'below' },
    share: 0.54,
  },
  { panes: ['console'], beside: { pane: 'walk', direction: 'below' }, share: 0.28 },
];

const narrow: readonly GroupPlan[] = [
  { panes: ['disassembly', 'source', 'console'] },
  {
    panes: ['registers', 'descriptors', 'devices', 'linux'],
    beside: { pane: 'disassembly', direction: 'right' },
    share: 0.47,
  },
  {
    panes: ['memory', 'monitor', 'watch', 'symbols'],
    beside: { pane: 'disassembly', direction: 'below' },
    share: 0.38,
  },
  {
    panes: ['stack', 'breakpoints', 'walk', 'address-space', 'tlb', 'physical'],
    beside: { pane: 'registers', direction: 'below' },
    share: 0.34,
  },
];

export const defaultPlan = (width: number): readonly GroupPlan[] => (width >= WIDE_FROM ? wide : narrow);

/** Where a pane goes that is opened again: with those it began with. */
export function companions(id: PaneId, width: number): readonly PaneId[] {
  return defaultPlan(width).find(({ panes }) => panes.includes(id))?.panes ?? [];
}

export const layoutKey = (machineId: string, width: number): string =>
  `trapeze.debugLayout.${machineId}.${width >= WIDE_FROM ? 'wide' : 'narrow'}`;
