// The program itself: the computer it runs on, preferences.
import { z } from 'zod';
import { method } from './definition.ts';

export const settingsSchema = z.object({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  /** Folder the file chooser opens in. */
  lastFolder: z.string().nullable().default(null),
  /** The bundled tour was deleted and stays so. */
  tourRemoved: z.boolean().default(false),
  /** Best speed seen over a busy second on this computer; null: none yet. */
  measuredMips: z.number().nullable().default(null),
});

export const systemMethods = {
  'system.information': method(
    z.object({}),
    z.object({
      version: z.string(),
      shell: z.enum(['electron', 'server']),
      hostMemoryBytes: z.number(),
      freeMemoryBytes: z.number(),
      processors: z.number(),
      library: z.string(),
    }),
  ),
  'system.settings': method(z.object({}), settingsSchema),
  'system.saveSettings': method(settingsSchema.partial(), settingsSchema),
} as const;

export const systemEvents = {
  'system.settingsChanged': settingsSchema,
  /** Files the desktop handed over: "open with", a drop on the icon, the command line. */
  'system.openFiles': z.object({ paths: z.array(z.string()) }),
} as const;

export type Settings = z.output<typeof settingsSchema>;
