// Serial ports as byte streams.
import { z } from 'zod';
import { bytesSchema } from './console.ts';
import { method } from './definition.ts';
import { machineIdSchema } from './machines.ts';

const portSchema = z.number().int().min(0).max(3);

export const serialMethods = {
  /** What the port sent since power-on, as far as it is kept. `end` counts all bytes ever sent. */
  'serial.history': method(
    z.object({ id: machineIdSchema, port: portSchema.default(0) }),
    z.object({ bytes: bytesSchema, end: z.number() }),
  ),
  'serial.input': method(z.object({ id: machineIdSchema, port: portSchema.default(0), bytes: bytesSchema }), z.null()),
} as const;

export const serialEvents = {
  /** `end` is the count after these bytes: it tells what the history already held. */
  'serial.output': z.object({ id: machineIdSchema, port: portSchema, bytes: bytesSchema, end: z.number() }),
} as const;
