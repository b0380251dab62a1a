// Runs one benchmark guest on v86 in this process; takes the same task as trapeze.ts and `disableJit`.
import fs from 'node:fs';
import { V86 } from 'v86';
import { Meter, parseTask } from './meter.ts';

const task = parseTask(process.argv[2]);
const file = (path: string): { buffer: ArrayBuffer } => ({ buffer: new Uint8Array(fs.readFileSync(path)).buffer });
const kernel = task.initrd === null ? { multiboot: file(task.kernel) } : { bzimage: file(task.kernel), initrd: file(task.initrd) };
const emulator = new V86({
  wasm_path: new URL('../../node_modules/v86/build/v86.wasm', import.meta.url).pathname,
  bios: file('/usr/share/seabios/bios.bin'),
  vga_bios: file('/usr/share/seabios/vgabios.bin'),
  memory_size: task.memoryMiB << 20,
  cmdline: task.commandLine,
  disable_jit: task.disableJit,
  autostart: true,
  acpi: true,
  disable_speaker: true,
  ...kernel,
});
const meter = new Meter(task, () => ({}));
emulator.add_listener('serial0-output-byte', (byte: number) => meter.serial(String.fromCharCode(byte)));
