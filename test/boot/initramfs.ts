// An initramfs with more files: the kernel takes archives one behind the other (Linux, "Early userspace" buffer format).
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { guestFile } from './bootMachine.ts';

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const aligned = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

/** One member of a "newc" archive: 13 hexadecimal fields, name and content aligned to four bytes. */
function member(name: string, mode: number, content: Buffer): Buffer {
  const label = Buffer.from(`${name}\0`);
  const fields = [0, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, label.length, 0];
  const header = Buffer.from(`070701${fields.map(hex).join('')}`);
  return Buffer.concat([aligned(Buffer.concat([header, label])), aligned(content)]);
}

export type GuestArchitecture = 'i386' | 'amd64';

/** A kernel module of the guest's kernel package. */
export function kernelModule(name: string, architecture: GuestArchitecture = 'i386'): Buffer {
  const unpacked = path.join(path.dirname(guestFile('kernel')), 'unpacked');
  const folder = readdirSync(unpacked).find((entry) => entry.startsWith('linux-image-') && entry.endsWith(`_${architecture}`));
  if (folder === undefined) throw new Error(`no kernel package in ${unpacked}`);
  const file = readdirSync(path.join(unpacked, folder), { recursive: true }).map(String).find((entry) => entry.endsWith(`/${name}.ko`));
  if (file === undefined) throw new Error(`the kernel package has no module ${name}`);
  return readFileSync(path.join(unpacked, folder, file));
}

/** The busybox initramfs with `files` in its root, as a file in a folder of its own. */
export function extendedInitramfs(
  files: Readonly<Record<string, Buffer>>, architecture: GuestArchitecture = 'i386',
): { path: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'trapeze-initramfs-'));
  const members = Object.entries(files).map(([name, content]) => member(name, 0o100644, content));
  const base = readFileSync(guestFile(architecture === 'amd64' ? 'initramfs64' : 'initramfs'));
  const output = path.join(folder, 'initramfs');
  writeFileSync(output, Buffer.concat([aligned(base), ...members, member('TRAILER!!!', 0, Buffer.alloc(0))]));
  return { path: output, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
