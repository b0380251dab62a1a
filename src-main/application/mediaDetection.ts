// From files to a machine: what they are together, and what to propose.
import os from 'node:os';
import path from 'node:path';
import type { DetectedFile, Detection } from '../../core/api/media.ts';
import { Failure } from '../../core/api/failure.ts';
import { createRequestSchema } from '../../core/api/machines.ts';
import type { BootDevice } from '../../core/machine/configuration.ts';
import { imageKind } from './imageKinds.ts';
import type { ImageKind } from './imageKinds.ts';
import { ImageReader } from './imageReader.ts';

export const EXPECTED_IMAGE =
  'an ISO 9660 CD image, a raw disk or floppy image, a Linux kernel (bzImage), a Multiboot or a PVH kernel';
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

interface Inspected {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly found: ImageKind;
}

export function inspect(file: string): Inspected {
  const image = new ImageReader(file, EXPECTED_IMAGE);
  try {
    return { path: image.path, name: image.name, sizeBytes: image.sizeBytes, found: imageKind(image) };
  } finally {
    image.close();
  }
}

/** Why this file cannot be used as what it is. */
function refuse(file: Inspected): Failure {
  const { found, path: name } = file;
  const expected = `Expected ${EXPECTED_IMAGE}.`;
  switch (found.kind) {
    case 'container':
      return new Failure('not-supported', `${name}: this is ${found.format}, which is not supported yet`, {
        reason: expected,
        action: 'Convert it to a raw image first.',
      });
    case 'compressed':
      return new Failure('not-supported', `${name}: the file is compressed with ${found.format}`, {
        reason: 'It is used as an initial RAM disk beside a kernel, but an image must be decompressed first.',
        action: `Decompress it, or open it together with its kernel.`,
      });
    case 'ramdisk':
      return new Failure('bad-input', `${name}: this is an initial RAM disk (${found.evidence}) without its kernel`, {
        reason: 'It cannot start alone.',
        action: 'Open it together with its kernel.',
      });
    case 'truncated':
      return new Failure('bad-input', `${name}: this is ${found.format}, but it is truncated`, {
        reason: `${found.detail[0]!.toUpperCase()}${found.detail.slice(1)}.`,
        action: 'Copy or download it again.',
      });
    default:
      return new Failure('bad-input', `${name}: this is nothing that boots`, {
        reason: `${expected} Found ${found.kind === 'unknown' ? found.found : found.kind}.`,
      });
  }
}

/** The machine that these files make. Throws a `Failure` that names the file, what was expected and what was found. */
export function detectMedia(paths: readonly string[]): Detection {
  const files = [...new Set(paths.map((file) => path.resolve(file)))].map(inspect);
  const kernels = files.filter(({ found: { kind } }) => kind === 'linux' || kind === 'multiboot' || kind === 'pvh');
  const kernel = kernels[0];
  if (kernels.length > 1) {
    throw new Failure('bad-input', `${kernels[1]!.path}: there is another kernel already`, {
      reason: `${kernel!.name} and ${kernels[1]!.name} are both kernels; a machine starts one.`,
    });
  }
  if (kernel?.found.kind === 'multiboot' || kernel?.found.kind === 'pvh') return moduleKernelDetection(kernel, files);
  const usable = (file: Inspected): boolean =>
    ['iso', 'disk', 'floppy', 'linux'].includes(file.found.kind) ||
    (kernel !== undefined && ['ramdisk', 'compressed'].includes(file.found.kind));
  const refused = files.find((file) => !usable(file));
  if (refused !== undefined) throw refuse(refused);
  return kernel === undefined ? imageDetection(files) : linuxDetection(kernel, files);
}

/** Multiboot and PVH take any file as a module; a PVH kernel that is Linux takes the first as its initial RAM disk. */
function moduleKernelDetection(kernel: Inspected, files: readonly Inspected[]): Detection {
  const modules = files.filter((file) => file !== kernel);
  const kind = kernel.found.kind === 'pvh' ? 'pvh' : 'multiboot';
  const name = kind === 'pvh' ? 'PVH' : 'Multiboot';
  return {
    kind,
    title: `${name} kernel ${kernel.name}`,
    evidence: evidenceOf(kernel),
    files: [
      detected(kernel, 'kernel', `${name} kernel`),
      ...modules.map((file) => detected(file, 'module', `${name} module`)),
    ],
    warnings: [],
    proposal: createRequestSchema.parse({
      name: stem(kernel.name),
      system: `${name} kernel`,
      configuration: {
        memoryMiB: sensibleMemory(128),
        kernel: { path: kernel.path, modules: modules.map((file) => file.path) },
      },
    }),
  };
}

function linuxDetection(kernel: Inspected, files: readonly Inspected[]): Detection {
  const found = kernel.found as Extract<ImageKind, { kind: 'linux' }>;
  const ramdisks = files.filter(({ found: { kind } }) => kind === 'ramdisk' || kind === 'compressed');
  if (ramdisks.length > 1) {
    throw new Failure('bad-input', `${ramdisks[1]!.path}: there is another initial RAM disk already`, {
      reason: 'A Linux kernel takes one.',
    });
  }
  const media = mediaOf(files);
  const initrd = ramdisks[0];
  return {
    kind: 'linux',
    title: found.version === '' ? `Linux kernel ${kernel.name}` : `Linux ${found.version}`,
    evidence: [evidenceOf(kernel), ...(initrd === undefined ? [] : [evidenceOf(initrd)])].join('; '),
    files: [
      detected(kernel, 'kernel', 'Linux kernel'),
      ...(initrd === undefined ? [] : [detected(initrd, 'initrd', 'initial RAM disk')]),
      ...media.files,
    ],
    warnings: [
      ...(found.sixtyFourBit ? [SIXTY_FOUR_BIT] : []),
      ...(initrd === undefined
        ? ['Without an initial RAM disk most kernels end in a panic: they find no root file system.']
        : []),
    ],
    proposal: createRequestSchema.parse({
      name: found.version === '' ? stem(kernel.name) : `Linux ${found.version}`.slice(0, 80),
      system: found.version === '' ? 'Linux' : `Linux ${found.version}`,
      configuration: {
        memoryMiB: sensibleMemory(256),
        ...media.configuration,
        kernel: {
          path: kernel.path,
          initrd: initrd?.path ?? null,
          // The last console is /dev/console; both show the kernel's messages.
          commandLine: 'console=ttyS0,115200 console=tty0',
        },
      },
    }),
  };
}

function imageDetection(files: readonly Inspected[]): Detection {
  const media = mediaOf(files);
  const first = files.find(({ found }) => found.kind === 'iso') ?? files[0]!;
  const kind = first.found.kind as 'iso' | 'disk' | 'floppy';
  const volumeId = first.found.kind === 'iso' ? first.found.volumeId : '';
  const name = readableLabel(volumeId) ?? stem(first.name);
  const hasDisk = files.some(({ found }) => found.kind === 'disk');
  // What fits on a small CD is a tool rather than an installer.
  const newDisk = kind === 'iso' && !hasDisk && first.sizeBytes >= 100 * MIB;
  return {
    kind,
    title: { iso: `${name} (CD)`, disk: `${name} (disk)`, floppy: `${name} (floppy)` }[kind],
    evidence: files.map(evidenceOf).join('; '),
    files: media.files,
    warnings: files.flatMap(warningsOf),
    proposal: createRequestSchema.parse({
      name: name.slice(0, 80),
      system: kind === 'iso' ? (readableLabel(volumeId) ?? '') : '',
      configuration: {
        memoryMiB: sensibleMemory({ iso: 512, disk: 256, floppy: 64 }[kind]),
        ...media.configuration,
        bootOrder: bootOrder(kind, hasDisk || newDisk),
      },
      newDiskBytes: newDisk ? 8 * GIB : null,
    }),
  };
}

/** A blank disk does not boot, so an installer's CD comes next, and the installed system first thereafter. */
function bootOrder(kind: 'iso' | 'disk' | 'floppy', disk: boolean): BootDevice[] {
  if (kind === 'floppy') return ['floppy', 'disk', 'cdrom'];
  return kind === 'iso' && !disk ? ['cdrom', 'disk', 'floppy'] : ['disk', 'cdrom', 'floppy'];
}

const SIXTY_FOUR_BIT =
  'This system is for 64-bit processors. The machine has a 32-bit one, on which it stops early in its start.';

function warningsOf({ found, name }: Inspected): string[] {
  const warnings: string[] = [];
  if (found.kind === 'iso' && found.boot === 'none')
    warnings.push(`${name} has no boot record: it cannot start by itself.`);
  if (found.kind === 'iso' && found.boot === 'uefi-only')
    warnings.push(`${name} starts only with UEFI firmware; this machine has a BIOS.`);
  if (found.kind === 'iso' && /amd64|x86[-_]64|\bx64\b/i.test(`${found.volumeId} ${name}`))
    warnings.push(SIXTY_FOUR_BIT);
  return warnings;
}

/** Drives for the CDs, disks and floppies among `files`. */
function mediaOf(files: readonly Inspected[]) {
  const of = (kind: ImageKind['kind']): Inspected[] => files.filter(({ found }) => found.kind === kind);
  const [cds, disks, floppies] = [of('iso'), of('disk'), of('floppy')];
  for (const [list, limit, drive] of [
    [cds, 1, 'CD drive'],
    [disks, 2, 'disk channel'],
    [floppies, 1, 'floppy drive'],
  ] as const) {
    const extra = list[limit];
    if (extra !== undefined) {
      throw new Failure('bad-input', `${extra.path}: there is no drive left for it`, {
        reason: `The machine's ${drive} takes ${limit}.`,
      });
    }
  }
  return {
    files: [
      ...cds.map((file) => detected(file, 'cdrom', 'CD image')),
      ...disks.map((file) => detected(file, 'disk', 'raw disk')),
      ...floppies.map((file) => detected(file, 'floppy', 'floppy image')),
    ],
    configuration: {
      cdrom: cds[0]?.path ?? null,
      disks: disks.map((file) => ({ path: file.path })),
      floppy: floppies[0] === undefined ? null : { path: floppies[0].path },
    },
  };
}

function detected(file: Inspected, role: DetectedFile['role'], description: string): DetectedFile {
  return { path: file.path, name: file.name, sizeBytes: file.sizeBytes, role, description };
}

function evidenceOf({ found, name }: Inspected): string {
  if ('evidence' in found) return found.evidence;
  return found.kind === 'compressed' ? `${name}, ${found.format}` : name;
}

const MEANINGLESS_LABELS =
  /^(cdrom|cd_rom|iso|isoimage|image|untitled|new|grub|disc|disk|data|no[ _]?name|x*orriso)?$/i;

function readableLabel(label: string): string | null {
  const text = label.replace(/_/g, ' ').trim();
  return MEANINGLESS_LABELS.test(text) ? null : text;
}

function stem(name: string): string {
  return (
    name
      .replace(/\.(iso|img|ima|bin|raw|dd|elf|flp|vfd|gz)$/i, '')
      .slice(0, 80)
      .trim() || name.slice(0, 80)
  );
}

/** Never more than a quarter of this computer's memory, at least 16 MiB. */
function sensibleMemory(mebibytes: number): number {
  const quarter = Math.floor(os.totalmem() / MIB / 4);
  return Math.max(16, Math.min(mebibytes, quarter));
}

/** Checks a file for the place it is attached to; blank disks are fine there. Throws a `Failure`. */
export function checkAttachment(file: string, place: 'disk' | 'cdrom' | 'floppy' | 'kernel'): void {
  const inspected = inspect(file);
  const { kind } = inspected.found;
  if (kind === 'container' || kind === 'compressed' || kind === 'truncated') throw refuse(inspected);
  const expected = {
    disk: 'a raw disk image',
    cdrom: 'a CD image',
    floppy: 'a floppy image',
    kernel: 'a Linux, Multiboot or PVH kernel',
  }[place];
  const found = inspected.found.kind === 'unknown' ? inspected.found.found : `a ${kind} image`;
  const wrong = (): Failure =>
    new Failure('bad-input', `${file}: this is not ${expected}`, { reason: `Expected ${expected}. Found ${found}.` });
  if (place === 'kernel' && kind !== 'linux' && kind !== 'multiboot' && kind !== 'pvh') throw wrong();
  if (place === 'cdrom' && kind !== 'iso') throw wrong();
  if (place === 'floppy' && inspected.sizeBytes > 2_949_120) throw wrong();
  if (place === 'disk' && (kind === 'unknown' || kind === 'ramdisk') && inspected.sizeBytes % 512 !== 0) throw wrong();
}
