// Machines: the library's records, their life cycle, what they report.
import { z } from 'zod';
import { machineConfigurationSchema } from '../machine/configuration.ts';
import { method } from './definition.ts';
import { failureSchema } from './failure.ts';

export const machineIdSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'not a machine id');
export const machineNameSchema = z.string().trim().min(1, 'a name is needed').max(80, 'at most 80 characters');

/** What the library keeps of a machine. */
export const machineRecordSchema = z.object({
  version: z.literal(1).default(1),
  id: machineIdSchema,
  name: machineNameSchema,
  /** What is known of the guest, for example `Debian 12 (i386)`; empty: nothing. */
  system: z.string().max(200).default(''),
  notes: z.string().max(20_000).default(''),
  /** Part of the product rather than made by the user. */
  bundled: z.enum(['tour']).nullable().default(null),
  createdAt: z.number(),
  configuration: machineConfigurationSchema,
});

/** `halted`: the CPU shut down (triple fault); `crashed`: the VM process was lost. */
export const machineStateSchema = z.enum(['stopped', 'starting', 'running', 'paused', 'halted', 'crashed']);

export const machineSummarySchema = machineRecordSchema.extend({
  state: machineStateSchema,
  /** Wall-clock ms of the last power-on, while it is on. */
  startedAt: z.number().nullable(),
  /** Why it halted, crashed or stopped. */
  failure: failureSchema.nullable(),
  processId: z.number().nullable(),
  /** Changes whenever the stored picture does. */
  pictureVersion: z.number(),
});

export const attachmentSchema = z.object({
  slot: z.enum(['disk', 'cdrom', 'floppy', 'kernel', 'initrd', 'module', 'firmware']),
  index: z.number().int(),
  path: z.string(),
  name: z.string(),
  readOnly: z.boolean(),
  sizeBytes: z.number().nullable(),
  /** Bytes it takes on the host; less than its size if sparse. */
  allocatedBytes: z.number().nullable(),
  /** Why it cannot be used now, for example because the file is gone. */
  problem: z.string().nullable(),
});

export const logEntrySchema = z.object({
  sequence: z.number(),
  at: z.number(),
  level: z.enum(['error', 'warning', 'info', 'debug']),
  tag: z.string(),
  message: z.string(),
});

export const statisticsSchema = z.object({
  at: z.number(),
  mips: z.number(),
  /** Share of one core, 0..1. */
  busy: z.number(),
  instructions: z.number(),
  guestNs: z.number(),
  exitsPerSecond: z.number(),
  diskReadPerSecond: z.number(),
  diskWrittenPerSecond: z.number(),
  diskReadBytes: z.number(),
  diskWrittenBytes: z.number(),
  guestErrors: z.number(),
  /** Resident size of the VM process. */
  processBytes: z.number(),
  display: z.object({
    width: z.number(),
    height: z.number(),
    text: z.object({ columns: z.number(), rows: z.number() }).nullable(),
  }),
});

const byId = z.object({ id: machineIdSchema });

export const createRequestSchema = z.object({
  name: machineNameSchema,
  system: z.string().max(200).default(''),
  configuration: machineConfigurationSchema,
  /** Size of a new sparse disk made in the machine's folder and attached last; null: none. */
  newDiskBytes: z.number().int().min(1_048_576).max(2_199_023_255_552).nullable().default(null),
});

export const machineMethods = {
  'machines.list': method(
    z.object({}),
    z.object({
      machines: z.array(machineSummarySchema),
      /** Files in the library that could not be read; they are left as they are. */
      problems: z.array(z.object({ file: z.string(), message: z.string() })),
    }),
  ),
  'machines.create': method(createRequestSchema, machineSummarySchema),
  'machines.update': method(
    z.object({
      id: machineIdSchema,
      name: machineNameSchema.nullable().default(null),
      notes: z.string().max(20_000).nullable().default(null),
      configuration: machineConfigurationSchema.nullable().default(null),
    }),
    machineSummarySchema,
  ),
  /** Removes the machine's folder with the disks made in it; other files stay. */
  'machines.delete': method(byId, z.null()),
  /** `paused`: it is on, and no instruction has run yet. */
  'machines.start': method(byId.extend({ paused: z.boolean().default(false) }), machineSummarySchema),
  'machines.pause': method(byId, machineSummarySchema),
  'machines.resume': method(byId, machineSummarySchema),
  'machines.reset': method(byId, machineSummarySchema),
  /** The ACPI power button. */
  'machines.shutDown': method(byId, machineSummarySchema),
  'machines.powerOff': method(byId, machineSummarySchema),
  'machines.attachments': method(byId, z.object({ attachments: z.array(attachmentSchema) })),
  'machines.log': method(byId, z.object({ entries: z.array(logEntrySchema) })),
} as const;

export const machineEvents = {
  'machines.changed': machineSummarySchema,
  'machines.removed': byId,
  'machines.statistics': z.object({ id: machineIdSchema, statistics: statisticsSchema }),
  'machines.logged': z.object({ id: machineIdSchema, entry: logEntrySchema }),
} as const;

export type MachineRecord = z.output<typeof machineRecordSchema>;
export type MachineSummary = z.output<typeof machineSummarySchema>;
export type MachineLifeState = z.output<typeof machineStateSchema>;
export type Attachment = z.output<typeof attachmentSchema>;
export type LogEntry = z.output<typeof logEntrySchema>;
export type Statistics = z.output<typeof statisticsSchema>;
export type CreateRequest = z.output<typeof createRequestSchema>;
