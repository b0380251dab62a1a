// Errors as people read them: what happened, why, what to do.
import { z } from 'zod';

export const failureCodeSchema = z.enum([
  'bad-request',
  'bad-input',
  'not-found',
  'wrong-state',
  'in-use',
  'not-supported',
  'host-limit',
  'process-lost',
  'internal',
]);

export const failureSchema = z.object({
  code: failureCodeSchema,
  /** What happened, in one line; names the file or machine. */
  message: z.string(),
  /** Why. */
  reason: z.string().default(''),
  /** What can be done about it. */
  action: z.string().default(''),
  /** For "Copy details": never shown at first. */
  details: z.string().default(''),
});

export type FailureCode = z.infer<typeof failureCodeSchema>;
export type FailureRecord = z.output<typeof failureSchema>;

/** An error that crosses the contract as a `FailureRecord`. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly record: FailureRecord;

  constructor(
    code: FailureCode,
    message: string,
    rest: Partial<Record<'reason' | 'action' | 'details', string | undefined>> = {},
  ) {
    super(message);
    this.record = { code, message, reason: rest.reason ?? '', action: rest.action ?? '', details: rest.details ?? '' };
  }

  static from(record: FailureRecord): Failure {
    return new Failure(record.code, record.message, record);
  }
}

export function toFailureRecord(error: unknown): FailureRecord {
  if (error instanceof Failure) return error.record;
  const message = error instanceof Error ? error.message : String(error);
  const details = error instanceof Error ? (error.stack ?? message) : message;
  return { code: 'internal', message, reason: '', action: '', details };
}

/** The record as one block of text for a log, a terminal or the clipboard. */
export function failureText(record: FailureRecord): string {
  return [record.message, record.reason, record.action, record.details].filter((line) => line !== '').join('\n');
}
