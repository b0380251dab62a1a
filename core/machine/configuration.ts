import { z } from 'zod';
import { featureNames } from '../cpu/state/cpuModels.ts';
import { ENGINES, type EngineName } from '../cpu/state/engines.ts';
import { exitPolicySchema } from './exitPolicy.ts';

/** What executes instructions. Not part of a configuration: a machine is the same machine with each of them. */
export const engineSchema = z.enum(ENGINES);
export type { EngineName };

/** Names of the CPU models a machine can be given; what each exposes is in `core/cpu/state/cpuModels.ts`. */
export const cpuModelSchema = z.enum(['486', 'pentium', 'pentium3', 'core2', 'x86-64-v2', 'max']);

export const cpuFeatureSchema = z.enum(featureNames);

/** One leaf of CPUID as the guest shall see it; registers that are left out answer as the model does. Hexadecimal. */
const cpuidWord = z.string().regex(/^[0-9a-f]{1,8}$/i, 'expected up to 8 hexadecimal digits');
export const cpuidOverrideSchema = z.object({
  leaf: cpuidWord,
  subLeaf: cpuidWord.default('0'),
  eax: cpuidWord.optional(),
  ebx: cpuidWord.optional(),
  ecx: cpuidWord.optional(),
  edx: cpuidWord.optional(),
});

export const diskSchema = z.object({
  /** Path on the host (an opaque name to core: the host opens it). */
  path: z.string().min(1),
  readOnly: z.boolean().default(false),
});

export const bootDeviceSchema = z.enum(['disk', 'cdrom', 'floppy']);

/** The hardware of a machine: all that the builder needs. Names, notes and thumbnails belong to the library. */
export const machineConfigurationSchema = z.object({
  version: z.literal(1).default(1),
  memoryMiB: z.number().int().min(1).max(3072).default(256),
  cpu: z
    .object({
      model: cpuModelSchema.default('x86-64-v2'),
      /** Features beyond the model's, and those that it shall not have: CPUID tells so, and instructions obey. */
      enable: z.array(cpuFeatureSchema).default([]),
      disable: z.array(cpuFeatureSchema).default([]),
      /** What CPUID shall answer instead: changes nothing but the answer. */
      cpuid: z.array(cpuidOverrideSchema).max(64).default([]),
    })
    .prefault({}),
  /** Up to two hard disks on the primary IDE channel. */
  disks: z.array(diskSchema).max(2).default([]),
  /** ATAPI CD-ROM, secondary master; null: an empty drive. */
  cdrom: z.string().min(1).nullable().default(null),
  floppy: diskSchema.nullable().default(null),
  bootOrder: z.array(bootDeviceSchema).default(['disk', 'cdrom', 'floppy']),
  /** Direct kernel load instead of booting a medium. */
  kernel: z
    .object({
      path: z.string().min(1),
      initrd: z.string().min(1).nullable().default(null),
      modules: z.array(z.string().min(1)).default([]),
      commandLine: z.string().max(4095).default(''),
    })
    .nullable()
    .default(null),
  /** Foreign ROMs; null: our own. */
  firmware: z
    .object({
      bios: z.string().min(1).nullable().default(null),
      vgaBios: z.string().min(1).nullable().default(null),
      /** UEFI variables: flash memory below the BIOS, written by the guest. */
      variables: z.string().min(1).nullable().default(null),
    })
    .prefault({}),
  /** `real`: guest time follows the host's; `virtual`: it follows the instruction count alone, so a run repeats exactly. */
  clock: z.enum(['real', 'virtual']).default('real'),
  /** Seconds since 1970 that the RTC starts from; null: the host's wall clock. */
  rtcStart: z.number().int().nonnegative().nullable().default(null),
  debugExit: z.boolean().default(false),
  exitPolicy: exitPolicySchema.prefault({}),
  /** Symbol files that the debugger loads; `offset` is added to every address. */
  symbols: z.array(z.object({ path: z.string().min(1), offset: z.string().max(100).default('0') })).max(16).default([]),
});

export type CpuModelName = z.infer<typeof cpuModelSchema>;
export type BootDevice = z.infer<typeof bootDeviceSchema>;
export type MachineConfiguration = z.infer<typeof machineConfigurationSchema>;
