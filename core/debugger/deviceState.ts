// A device's saved state as a tree that people can read. It goes by the record alone, so that nothing can be missed.
import type { StateNode } from '../api/debug.ts';
import type { Device } from '../bus/device.ts';
import { hexOf, sizeText } from './numberText.ts';

const BYTES_SHOWN = 32;
const ITEMS_SHOWN = 64;
const DEEPEST = 8;

/** `debug.devices`. A device whose codec fails is shown with its failure. */
export function deviceStates(devices: readonly Device[]): { id: string; title: string; state: StateNode }[] {
  return devices.map((device) => {
    let state: StateNode;
    try {
      state = stateTree(device.id, device.state.save());
    } catch (error) {
      state = { name: device.id, value: `cannot be shown: ${error instanceof Error ? error.message : String(error)}`, children: [] };
    }
    return { id: device.id, title: titleOf(device), state };
  });
}

/** What the stable ids stand for; others are shown by their id. */
const titles: readonly (readonly [RegExp, string])[] = [
  [/^pic(\d)$/, 'Interrupt controller $1 (8259A)'], [/^pit\d$/, 'Interval timer (8254)'], [/^rtc\d$/, 'Real-time clock and CMOS'],
  [/^port92$/, 'Port 92h: A20 and fast reset'], [/^i8042$/, 'Keyboard controller (8042)'], [/^dma(\d)$/, 'DMA controller $1 (8237A)'],
  [/^dmaPages$/, 'DMA page registers'], [/^com(\d)$/, 'Serial port COM$1 (16550A)'], [/^pciHost$/, 'PCI configuration ports'],
  [/^pm\d$/, 'Power management (PIIX4)'], [/^vga\d?$/, 'Display (VGA)'], [/^ide\d?$/, 'IDE controller'],
];
const titleOf = ({ id }: Device): string => {
  const known = titles.find(([pattern]) => pattern.test(id));
  return known === undefined ? id : id.replace(known[0], known[1]);
};

/** `specialFullyNested` as `special fully nested`. */
export const words = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();

export function stateTree(name: string, value: unknown, depth = 0): StateNode {
  const leaf = (text: string): StateNode => ({ name, value: text, children: [] });
  if (value === null || value === undefined) return leaf('none');
  if (typeof value === 'boolean') return leaf(value ? 'yes' : 'no');
  if (typeof value === 'number') return leaf(numberValue(value));
  if (typeof value === 'bigint') return leaf(`${hexOf(value)}h`);
  if (typeof value === 'string') return leaf(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return bytesNode(name, value as unknown as ArrayLike<number>);
  if (depth >= DEEPEST) return leaf('...');
  if (Array.isArray(value)) return listNode(name, value, depth);
  if (value instanceof Map) return listNode(name, [...value], depth);
  if (typeof value !== 'object') return leaf(String(value));
  const children = Object.entries(value).map(([key, item]) => stateTree(words(key), item, depth + 1));
  return { name, value: children.length === 0 ? 'empty' : '', children };
}

/** `60h (96)`: registers are read in hexadecimal, counts in decimal. */
function numberValue(value: number): string {
  if (!Number.isInteger(value)) return String(value);
  if (value < 0) return String(value);
  return value < 10 ? String(value) : `${hexOf(value)}h (${value})`;
}

function bytesNode(name: string, bytes: ArrayLike<number>): StateNode {
  const first = Array.from({ length: Math.min(bytes.length, BYTES_SHOWN) }, (_, index) => hexOf(bytes[index], 2));
  let zeros = 0;
  for (let index = 0; index < bytes.length; index++) if (bytes[index] === 0) zeros++;
  if (zeros === bytes.length && bytes.length > 4) return { name, value: `${sizeText(bytes.length)}, all zero`, children: [] };
  if (bytes.length <= BYTES_SHOWN) return { name, value: first.join(' '), children: [] };
  return { name, value: `${first.join(' ')} ... ${sizeText(bytes.length)}, ${bytes.length - zeros} not zero`, children: [] };
}

function listNode(name: string, items: readonly unknown[], depth: number): StateNode {
  const plain = items.every((item) => typeof item === 'number' || typeof item === 'boolean');
  if (plain && items.length <= 16) {
    const texts = items.map((item) => (typeof item === 'number' ? hexOf(item, 1) : item === true ? 'yes' : 'no'));
    return { name, value: items.length === 0 ? 'empty' : texts.join(' '), children: [] };
  }
  if (plain && items.every((item) => typeof item === 'number')) return bytesNode(name, items as number[]);
  const children = items.slice(0, ITEMS_SHOWN).map((item, index) => stateTree(String(index), item, depth + 1));
  const rest = items.length - children.length;
  if (rest > 0) children.push({ name: '...', value: `${rest} more`, children: [] });
  return { name, value: `${items.length} entries`, children };
}
