// The protocol between the application and one VM process.
import { z } from 'zod';
import { machineConfigurationSchema } from '../machine/configuration.ts';
import {
  bytesSchema,
  frameRequestSchema,
  frameSchema,
  mouseSchema,
  scanCodesSchema,
  screenTextSchema,
} from './console.ts';
import { debugMethods, debugStatusSchema } from './debug.ts';
import { method } from './definition.ts';
import type { Handlers } from './definition.ts';
import { failureSchema } from './failure.ts';
import { statisticsSchema } from './machines.ts';

const none = z.object({});

export const vmMethods = {
  /** The first call: builds the machine. */
  configure: method(
    z.object({ holder: z.string(), configuration: machineConfigurationSchema, monitor: z.string().nullable() }),
    z.null(),
  ),
  start: method(none, z.null()),
  /** Powers on and stands before the first instruction. */
  startPaused: method(none, z.null()),
  pause: method(none, z.null()),
  reset: method(none, z.null()),
  pressPowerButton: method(none, z.null()),
  /** Powers off, closes the disks and ends the process. */
  end: method(none, z.null()),
  keys: method(z.object({ scanCodes: scanCodesSchema }), z.null()),
  mouse: method(mouseSchema, z.null()),
  serialInput: method(z.object({ port: z.number().int(), bytes: bytesSchema }), z.null()),
  frame: method(frameRequestSchema, frameSchema),
  screenshot: method(
    z.object({ maxWidth: z.number().int().nullable() }),
    z.object({ width: z.number(), height: z.number(), png: bytesSchema }).nullable(),
  ),
  text: method(none, screenTextSchema.nullable()),
  ...debugMethods,
} as const;

export const stopReasonSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('power-off') }),
  z.object({ kind: z.literal('guest-power-off') }),
  z.object({ kind: z.literal('debug-exit'), value: z.number() }),
  z.object({ kind: z.literal('triple-fault'), detail: z.string() }),
]);

export const vmRequestSchema = z.object({
  kind: z.literal('request'),
  id: z.number(),
  method: z.string(),
  request: z.unknown(),
});

export const vmMessageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('response'), id: z.number(), response: z.unknown() }),
  z.object({ kind: z.literal('failure'), id: z.number(), failure: failureSchema }),
  z.object({
    kind: z.literal('state'),
    state: z.enum(['stopped', 'running', 'paused', 'halted']),
    reason: stopReasonSchema.nullable(),
  }),
  z.object({ kind: z.literal('serial'), port: z.number(), bytes: bytesSchema }),
  z.object({
    kind: z.literal('log'),
    level: z.enum(['error', 'warning', 'info', 'debug']),
    tag: z.string(),
    message: z.string(),
  }),
  z.object({ kind: z.literal('statistics'), statistics: statisticsSchema }),
  z.object({ kind: z.literal('debug-changed'), status: debugStatusSchema }),
  z.object({ kind: z.literal('debug-logged'), text: z.string() }),
]);

export type VmMessage = z.input<typeof vmMessageSchema>;
export type VmRequest = z.output<typeof vmRequestSchema>;
export type VmHandlers = Handlers<typeof vmMethods>;
export type StopReasonRecord = z.output<typeof stopReasonSchema>;
