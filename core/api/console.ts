// The guest's screen, keyboard and mouse. Pictures are pulled: a console that nobody looks at costs nothing.
import { z } from 'zod';
import { method } from './definition.ts';
import { machineIdSchema } from './machines.ts';

export const bytesSchema = z.instanceof(Uint8Array);

export const displayModeSchema = z.object({
  width: z.number().int().min(0).max(8192),
  height: z.number().int().min(0).max(8192),
  text: z.object({ columns: z.number().int(), rows: z.number().int() }).nullable(),
});

/** RGBA, row by row. */
export const rectangleSchema = z.object({
  x: z.number().int(),
  y: z.number().int(),
  width: z.number().int(),
  height: z.number().int(),
  pixels: bytesSchema,
});

export const frameSchema = z.object({ mode: displayModeSchema, rectangles: z.array(rectangleSchema) });
export const frameRequestSchema = z.object({
  /** Names the one who looks; changes are counted for each viewer apart. */
  viewer: z.string().min(1).max(64),
  full: z.boolean().default(false),
  /** Answer with no rectangles if nothing changed for so long. */
  waitMs: z.number().min(0).max(5000).default(1000),
});
export const screenTextSchema = z.object({
  lines: z.array(z.string()),
  cursor: z.object({ row: z.number(), column: z.number() }).nullable(),
});
export const mouseSchema = z.object({
  dx: z.number().int().min(-4096).max(4096),
  dy: z.number().int().min(-4096).max(4096),
  wheel: z.number().int().min(-128).max(128).default(0),
  buttons: z.number().int().min(0).max(7),
});
export const scanCodesSchema = z.array(z.number().int().min(0).max(255)).min(1).max(4096);

const byId = z.object({ id: machineIdSchema });

export const consoleMethods = {
  /** Answers when something changed. Rate-limited by the VM process. */
  'console.frame': method(frameRequestSchema.extend({ id: machineIdSchema }), frameSchema),
  'console.keys': method(byId.extend({ scanCodes: scanCodesSchema }), z.null()),
  'console.mouse': method(mouseSchema.extend({ id: machineIdSchema }), z.null()),
  /** PNG of the screen now, or of the last picture kept of a machine that is off; null: none. */
  'console.screenshot': method(
    byId.extend({ maxWidth: z.number().int().min(16).max(8192).nullable().default(null) }),
    z.object({ png: bytesSchema, width: z.number(), height: z.number() }).nullable(),
  ),
  /** The text screen, or null in a graphics mode. */
  'console.text': method(byId, screenTextSchema.nullable()),
} as const;

export type Frame = z.output<typeof frameSchema>;
export type ScreenText = z.output<typeof screenTextSchema>;
