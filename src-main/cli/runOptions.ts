// The options of `trapeze run`, checked, as a machine's configuration and what to do around it.
import os from 'node:os';
import { Failure } from '../../core/api/failure.ts';
import { validationMessage } from '../../core/api/dispatch.ts';
import {
  cpuFeatureSchema,
  cpuModelSchema,
  engineSchema,
  machineConfigurationSchema,
} from '../../core/machine/configuration.ts';
import { processorProblems } from '../../core/machine/processor.ts';
import type { BootDevice, EngineName, MachineConfiguration } from '../../core/machine/configuration.ts';
import { detectMedia } from '../application/mediaDetection.ts';

/** As commander hands them over. */
export interface RawRunOptions {
  readonly memory?: string;
  readonly cpu?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly module?: readonly string[];
  readonly append?: string;
  readonly cdrom?: string;
  readonly disk?: readonly string[];
  readonly floppy?: string;
  readonly boot?: string;
  readonly bios?: string;
  readonly vgaBios?: string;
  readonly uefiVariables?: string;
  readonly serial?: string;
  readonly debugcon?: string;
  readonly screenText?: string;
  readonly screenshot?: string;
  readonly debugExit?: boolean;
  readonly timeout?: string;
  readonly engine?: string;
  readonly clock?: string;
  readonly stats?: string;
  readonly gdb?: string;
  readonly paused?: boolean;
  readonly monitor?: string;
}

export interface RunOptions {
  readonly configuration: MachineConfiguration;
  readonly engine: EngineName;
  readonly serial: { kind: 'stdio' } | { kind: 'none' } | { kind: 'file'; path: string };
  readonly debugFile: string | null;
  readonly screenTextFile: string | null;
  readonly screenshotFile: string | null;
  readonly statisticsFile: string | null;
  readonly timeoutSeconds: number | null;
  /** Where to listen for GDB. */
  readonly gdb: Listen | null;
  readonly paused: boolean;
  /** Local socket of the monitor. */
  readonly monitor: string | null;
}

export interface Listen {
  readonly host: string;
  readonly port: number;
}

export function bad(message: string, reason = ''): Failure {
  return new Failure('bad-request', message, { reason });
}

export function parseEngine(option: string, text: string): EngineName {
  const engine = engineSchema.safeParse(text);
  if (!engine.success) throw bad(`${option} ${text}: expected one of ${engineSchema.options.join(', ')}`);
  return engine.data;
}

/** `256`, `256M`, `1G`. */
export function parseMemory(text: string): number {
  const match = /^(\d+)([MG]?)(i?B)?$/i.exec(text.trim());
  if (match === null) throw bad(`--memory ${text}: expected a size such as 256M or 1G`);
  const mebibytes = Number(match[1]) * (match[2]?.toUpperCase() === 'G' ? 1024 : 1);
  const { minValue, maxValue } = machineConfigurationSchema.shape.memoryMiB.unwrap();
  if (mebibytes >= minValue! && mebibytes <= maxValue!) return mebibytes;
  throw bad(
    `--memory ${text}: a machine takes ${minValue} MiB to ${maxValue} MiB; this computer has ${hostMebibytes()} MiB`,
  );
}

/** `1234`, `127.0.0.1:1234`, `[::1]:1234`. */
export function parseListen(text: string): Listen {
  const match = /^(?:(?<host>\[[0-9a-fA-F:]+\]|[^:]+):)?(?<port>\d{1,5})$/.exec(text.trim());
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65535) throw bad(`--gdb ${text}: expected a port such as 1234, or HOST:PORT`);
  return { host: (match.groups?.['host'] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
}

const hostMebibytes = (): number => Math.floor(os.totalmem() / 2 ** 20);

const BOOT_NAMES: Readonly<Record<string, BootDevice>> = {
  disk: 'disk',
  hd: 'disk',
  c: 'disk',
  cdrom: 'cdrom',
  cd: 'cdrom',
  d: 'cdrom',
  floppy: 'floppy',
  fd: 'floppy',
  a: 'floppy',
};

/** `cdrom,disk`, or letters as in `dca`. */
export function parseBootOrder(text: string): BootDevice[] {
  const names = /^[acd]+$/.test(text) ? [...text] : text.split(',').map((name) => name.trim());
  const order = names.map((name) => {
    const device = BOOT_NAMES[name];
    if (device === undefined) throw bad(`--boot ${text}: "${name}" is not one of disk, cdrom, floppy`);
    return device;
  });
  return [...new Set(order)];
}

/** `FILE` or `FILE,readonly`. */
export function parseDisk(text: string): { path: string; readOnly: boolean } {
  const readOnly = /,(readonly|ro)$/.exec(text);
  return { path: readOnly === null ? text : text.slice(0, readOnly.index), readOnly: readOnly !== null };
}

function parseSerial(text: string): RunOptions['serial'] {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text.startsWith('file:') && text.length > 5) return { kind: 'file', path: text.slice(5) };
  throw bad(`--serial ${text}: expected stdio, none or file:NAME`);
}

function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0)) throw bad(`--timeout ${text}: expected a number of seconds`);
  return seconds;
}

/** `max,-AES,+SHA`: a model, and features that it shall have or not. */
function parseCpu(text: string): MachineConfiguration['cpu'] {
  const [name = '', ...changes] = text.split(',');
  const model = cpuModelSchema.safeParse(name);
  if (!model.success) throw bad(`--cpu ${name}: expected one of ${cpuModelSchema.options.join(', ')}`);
  const features = changes.map((change) => {
    const feature = cpuFeatureSchema.safeParse(change.slice(1).toUpperCase());
    if (!/^[+-]/.test(change) || !feature.success) {
      throw bad(
        `--cpu ${text}: ${change} is no feature: expected + or - and one of ${cpuFeatureSchema.options.join(', ')}`,
      );
    }
    return { feature: feature.data, on: change.startsWith('+') };
  });
  const chosen = (on: boolean) => features.filter((entry) => entry.on === on).map(({ feature }) => feature);
  const cpu = { model: model.data, enable: chosen(true), disable: chosen(false), cpuid: [] };
  const [problem] = processorProblems(cpu);
  if (problem !== undefined) throw bad(`--cpu ${text}: ${problem.message}`);
  return cpu;
}

/** Throws a `Failure` whose message is the one-line reason. */
export function parseRunOptions(images: readonly string[], raw: RawRunOptions): RunOptions {
  if (raw.clock !== undefined && raw.clock !== 'real' && raw.clock !== 'virtual')
    throw bad(`--clock ${raw.clock}: expected real or virtual`);
  if (raw.kernel === undefined && (raw.initrd !== undefined || (raw.module ?? []).length > 0) && images.length === 0) {
    throw bad('--initrd and --module need --kernel');
  }
  const configuration = mergeConfiguration(images, raw);
  if (bootsNothing(configuration))
    throw bad('nothing to start: give an image, --kernel, --disk, --cdrom, --floppy or --bios');
  return {
    configuration,
    engine: parseEngine('--engine', raw.engine ?? 'interpreter'),
    serial: parseSerial(raw.serial ?? 'stdio'),
    debugFile: raw.debugcon ?? null,
    screenTextFile: raw.screenText ?? null,
    screenshotFile: raw.screenshot ?? null,
    statisticsFile: raw.stats ?? null,
    timeoutSeconds: raw.timeout === undefined ? null : parseTimeout(raw.timeout),
    gdb: raw.gdb === undefined ? null : parseListen(raw.gdb),
    paused: raw.paused ?? false,
    monitor: raw.monitor ?? null,
  };
}

/** What the images are told to be by their content, then the options over it. */
function mergeConfiguration(images: readonly string[], raw: RawRunOptions): MachineConfiguration {
  const base = images.length === 0 ? machineConfigurationSchema.parse({}) : detectMedia(images).proposal.configuration;
  const kernelPath = raw.kernel ?? base.kernel?.path;
  const parsed = machineConfigurationSchema.safeParse({
    ...base,
    memoryMiB: raw.memory === undefined ? base.memoryMiB : parseMemory(raw.memory),
    cpu: raw.cpu === undefined ? base.cpu : parseCpu(raw.cpu),
    disks: [...base.disks, ...(raw.disk ?? []).map(parseDisk)],
    cdrom: raw.cdrom ?? base.cdrom,
    floppy: raw.floppy === undefined ? base.floppy : parseDisk(raw.floppy),
    bootOrder: raw.boot === undefined ? base.bootOrder : parseBootOrder(raw.boot),
    kernel:
      kernelPath === undefined
        ? null
        : {
            path: kernelPath,
            initrd: raw.initrd ?? base.kernel?.initrd ?? null,
            modules: [...(base.kernel?.modules ?? []), ...(raw.module ?? [])],
            commandLine: raw.append ?? base.kernel?.commandLine ?? '',
          },
    firmware: { bios: raw.bios ?? null, vgaBios: raw.vgaBios ?? null, variables: raw.uefiVariables ?? null },
    clock: raw.clock ?? base.clock,
    debugExit: raw.debugExit ?? base.debugExit,
  });
  if (!parsed.success) throw bad(`the machine is not possible: ${validationMessage(parsed.error)}`);
  return parsed.data;
}

function bootsNothing({ disks, cdrom, floppy, kernel, firmware }: MachineConfiguration): boolean {
  return disks.length === 0 && cdrom === null && floppy === null && kernel === null && firmware.bios === null;
}
