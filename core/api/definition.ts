// How the contract is written down: methods and events as zod schemas in plain records.
import type { z } from 'zod';

export interface MethodDefinition<Request extends z.ZodType = z.ZodType, Response extends z.ZodType = z.ZodType> {
  readonly request: Request;
  readonly response: Response;
}
export type Methods = Readonly<Record<string, MethodDefinition>>;
export type Events = Readonly<Record<string, z.ZodType>>;

export function method<Request extends z.ZodType, Response extends z.ZodType>(
  request: Request,
  response: Response,
): MethodDefinition<Request, Response> {
  return { request, response };
}

/** What a caller passes: fields with defaults may be left out. */
export type RequestOf<M extends MethodDefinition> = z.input<M['request']>;
export type ResponseOf<M extends MethodDefinition> = z.output<M['response']>;

/** The other side of a set of methods: one function each, over validated requests. */
export type Handlers<M extends Methods> = {
  readonly [Name in keyof M]: (
    request: z.output<M[Name]['request']>,
  ) => z.input<M[Name]['response']> | Promise<z.input<M[Name]['response']>>;
};
