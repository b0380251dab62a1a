// What descriptors and segment attributes say, in words (SDM 3A 3.4.5, 3.5, 6.11).

const SYSTEM_TYPES = [
  'reserved', '16-bit TSS, available', 'LDT', '16-bit TSS, busy', '16-bit call gate', 'task gate', '16-bit interrupt gate', '16-bit trap gate',
  'reserved', '32-bit TSS, available', 'reserved', '32-bit TSS, busy', '32-bit call gate', 'reserved', '32-bit interrupt gate', '32-bit trap gate',
];

/** Gates name a target instead of memory. */
export const isGate = (attributes: number): boolean => (attributes & 0x10) === 0 && [4, 5, 6, 7, 12, 14, 15].includes(attributes & 15);

/** The type in words; `attributes` are bits 8..23 of the descriptor's upper half. */
export function descriptorType(attributes: number, long = false): string {
  const type = attributes & 15;
  if ((attributes & 0x10) === 0) return long ? SYSTEM_TYPES[type].replace('32-bit', '64-bit') : SYSTEM_TYPES[type];
  const wide = (attributes & 0x4000) !== 0;
  if ((type & 8) !== 0) {
    const bits = (attributes & 0x2000) !== 0 ? '64-bit' : wide ? '32-bit' : '16-bit';
    return `${bits} code, ${(type & 2) !== 0 ? 'readable' : 'execute-only'}${(type & 4) !== 0 ? ', conforming' : ''}`;
  }
  return `${wide ? '32-bit' : '16-bit'} data, ${(type & 2) !== 0 ? 'writable' : 'read-only'}${(type & 4) !== 0 ? ', expand-down' : ''}`;
}

/** `present, ring 0, accessed, 4 KiB granularity`. */
export function attributesText(attributes: number): string {
  const isSystem = (attributes & 0x10) === 0;
  const parts = [
    (attributes & 0x80) !== 0 ? 'present' : 'not present',
    `ring ${(attributes >>> 5) & 3}`,
    !isSystem && (attributes & 1) !== 0 ? 'accessed' : '',
    !isGate(attributes) && (attributes & 0x8000) !== 0 ? '4 KiB granularity' : '',
    !isGate(attributes) && (attributes & 0x1000) !== 0 ? 'AVL' : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
