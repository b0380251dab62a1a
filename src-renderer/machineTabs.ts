// The views of one machine, in the order of their tabs and keys.
export const MACHINE_TABS = [
  { name: 'overview', label: 'Overview' },
  { name: 'console', label: 'Console' },
  { name: 'serial', label: 'Serial' },
  { name: 'debug', label: 'Debug' },
  { name: 'traps', label: 'Traps' },
  { name: 'log', label: 'Log' },
  { name: 'settings', label: 'Settings' },
] as const;
export type MachineTab = (typeof MACHINE_TABS)[number]['name'];
