// Serving a set of methods: requests are validated before a handler sees them, responses before they leave.
import type { z } from 'zod';
import type { Handlers, Methods } from './definition.ts';
import { Failure } from './failure.ts';

/** The first problem of a validation, as one line a person can act on. */
export function validationMessage(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'not valid';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

export async function dispatch<M extends Methods>(
  methods: M,
  handlers: Handlers<M>,
  name: string,
  request: unknown,
): Promise<unknown> {
  const definition = Object.hasOwn(methods, name) ? methods[name as keyof M] : undefined;
  if (definition === undefined) throw new Failure('bad-request', `There is no method "${name.slice(0, 80)}".`);
  const parsed = definition.request.safeParse(request);
  if (!parsed.success) {
    throw new Failure('bad-request', `${name} was refused.`, { reason: validationMessage(parsed.error) });
  }
  const handler = handlers[name as keyof M] as (request: unknown) => unknown;
  const response = definition.response.safeParse(await handler(parsed.data));
  if (!response.success) {
    throw new Failure('internal', `${name} gave an answer outside the contract.`, {
      details: validationMessage(response.error),
    });
  }
  return response.data;
}
