// Media: what a file is, what to propose for it, where files are.
import { z } from 'zod';
import { createRequestSchema } from './machines.ts';
import { method } from './definition.ts';

export const mediaKindSchema = z.enum(['iso', 'disk', 'floppy', 'linux', 'multiboot', 'pvh']);

export const detectedFileSchema = z.object({
  path: z.string(),
  name: z.string(),
  sizeBytes: z.number(),
  role: z.enum(['cdrom', 'disk', 'floppy', 'kernel', 'initrd', 'module']),
  description: z.string(),
});

/** A set of files that starts together, and the machine proposed for it. */
export const detectionSchema = z.object({
  kind: mediaKindSchema,
  /** For example `Debian 12.11 i386 (CD)`. */
  title: z.string(),
  /** What in the content told so. */
  evidence: z.string(),
  files: z.array(detectedFileSchema).min(1),
  /** What to know before starting it. */
  warnings: z.array(z.string()),
  proposal: createRequestSchema,
});

export const folderEntrySchema = z.object({
  name: z.string(),
  path: z.string(),
  folder: z.boolean(),
  sizeBytes: z.number(),
  modifiedAt: z.number(),
});

export const mediaMethods = {
  'media.detect': method(z.object({ paths: z.array(z.string().min(1)).min(1).max(16) }), detectionSchema),
  /** Folders and files of one folder of the computer that runs the machines; null: where the user last was. */
  'media.browse': method(
    z.object({ folder: z.string().min(1).nullable().default(null) }),
    z.object({
      folder: z.string(),
      parent: z.string().nullable(),
      entries: z.array(folderEntrySchema),
      /** Entries beyond the limit that were left out. */
      leftOut: z.number(),
      places: z.array(z.object({ name: z.string(), path: z.string() })),
    }),
  ),
  /** Forgets an uploaded file that no machine uses. Files outside the library are never touched. */
  'media.discard': method(z.object({ paths: z.array(z.string().min(1)).max(16) }), z.null()),
} as const;

export type MediaKind = z.output<typeof mediaKindSchema>;
export type DetectedFile = z.output<typeof detectedFileSchema>;
export type Detection = z.output<typeof detectionSchema>;
export type FolderEntry = z.output<typeof folderEntrySchema>;
