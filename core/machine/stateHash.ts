// A digest of everything the guest can see: equal digests mean equal machines.
import type { Device } from '../bus/device.ts';
import { HOST_FIELDS } from '../cpu/state/hostFields.ts';
import { STATE_BYTES } from '../cpu/state/layout.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';

/** Four interleaved 32-bit FNV-1a lanes over words, finally mixed: fast and good enough to tell machines apart. */
class Digest {
  readonly #lanes = new Uint32Array([0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35]);

  words(words: Uint32Array): void {
    const lanes = this.#lanes;
    let [a, b, c, d] = lanes;
    for (let index = 0; index < words.length; index += 4) {
      a = Math.imul(a ^ words[index], 0x01000193);
      b = Math.imul(b ^ words[index + 1], 0x01000193) + a;
      c = Math.imul(c ^ words[index + 2], 0x01000193) ^ (b >>> 15);
      d = Math.imul(d ^ words[index + 3], 0x01000193) + (c >>> 13);
    }
    lanes.set([a, b, c, d]);
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const words = new Uint32Array(Math.ceil(bytes.length / 16) * 4 + 4);
    new Uint8Array(words.buffer).set(bytes);
    words[words.length - 1] = bytes.length;
    this.words(words);
  }

  get hex(): string {
    return [...this.#lanes].map((lane) => (Math.imul(lane ^ (lane >>> 16), 0x7feb352d) >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** Contents of memories enter as a digest of their own. */
const LARGE = 1 << 20;

export function hashMachine(hypervisor: Hypervisor, devices: readonly Device[]): string {
  const { cpu } = hypervisor;
  const digest = new Digest();
  const state = cpu.u8.slice(cpu.base, cpu.base + STATE_BYTES);
  for (const [offset, length] of HOST_FIELDS) state.fill(0, offset, offset + length);
  digest.words(new Uint32Array(state.buffer));
  digest.text(`${cpu.eflags} ${cpu.activity} ${cpu.instructionCount} ${hypervisor.now()}`);
  digest.text(cpu.stateOutside);
  digest.words(cpu.u32.subarray(cpu.map.ram >>> 2, (cpu.map.ram + cpu.map.ramBytes) >>> 2));
  for (const device of devices) digest.text(deviceText(device));
  return digest.hex;
}

/** A device's state in short: large memories by their digest. */
export const deviceText = (device: Device): string => `${device.id} ${JSON.stringify(device.state.save(), plain)}`;

function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value;
  if (value.length < LARGE || value.length % 16 !== 0) return [...value];
  const digest = new Digest();
  digest.words(new Uint32Array(value.slice().buffer));
  return digest.hex;
}
