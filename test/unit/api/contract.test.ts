import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClient, localTransport } from '../../../core/api/client.ts';
import { methodNames, methods } from '../../../core/api/contract.ts';
import type { ApplicationHandlers } from '../../../core/api/contract.ts';
import { dispatch } from '../../../core/api/dispatch.ts';
import { Failure } from '../../../core/api/failure.ts';
import { decodeMessage, encodeMessage } from '../../../core/api/wire.ts';

const handlers = {
  'console.text': () => ({ lines: ['x'], cursor: null }),
  'console.keys': () => null,
} as unknown as ApplicationHandlers;

describe('the wire', () => {
  it('carries byte arrays anywhere in a message', () => {
    const message = { id: 1, a: [Uint8Array.of(1, 2), { b: new Uint8Array(0) }], text: 'ä', n: null };
    expect(decodeMessage(encodeMessage(message) as Uint8Array<ArrayBuffer>)).toEqual(message);
    expect(decodeMessage(encodeMessage({ buffer: Buffer.from([7]) }) as Uint8Array<ArrayBuffer>)).toEqual({
      buffer: Uint8Array.of(7),
    });
    expect(encodeMessage({ plain: true })).toBe('{"plain":true}');
  });

  it('gives back any message', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.uint8Array(), fc.integer(), fc.string())), (message) => {
        const encoded = encodeMessage(message);
        expect(decodeMessage(encoded)).toEqual({ ...message });
      }),
    );
  });

  it('throws on what it does not write', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(() => decodeMessage(new Uint8Array(bytes))).toThrow();
      }),
    );
  });
});

describe('dispatch', () => {
  it('validates requests before a handler sees them', async () => {
    const keys = (request: unknown) => dispatch(methods, handlers, 'console.keys', request);
    await expect(keys({ id: 'm', scanCodes: [1, 300] })).rejects.toMatchObject({
      record: { code: 'bad-request', reason: expect.stringContaining('scanCodes.1') as string },
    });
    await expect(keys({ id: '../etc', scanCodes: [1] })).rejects.toBeInstanceOf(Failure);
    await expect(keys({ id: 'm', scanCodes: [1] })).resolves.toBeNull();
  });

  it('refuses names that are no methods, inherited ones too', async () => {
    for (const name of ['nothing', 'constructor', '__proto__', 'toString']) {
      await expect(dispatch(methods, handlers, name, {})).rejects.toThrow(/no method/);
    }
  });

  it('never lets an answer outside the contract through', async () => {
    const wrong = { 'console.text': () => ({ lines: 'not a list' }) } as unknown as ApplicationHandlers;
    await expect(dispatch(methods, wrong, 'console.text', { id: 'm' })).rejects.toThrow(/outside the contract/);
  });
});

it('one client works over any transport', async () => {
  const client = createClient(localTransport(handlers, () => ({ dispose: () => undefined })));
  expect(await client.call('console.text', { id: 'm' })).toEqual({ lines: ['x'], cursor: null });
  await expect(client.call('console.keys', { id: 'm', scanCodes: [] })).rejects.toBeInstanceOf(Failure);
});

it('method names say their area', () => {
  for (const name of methodNames) expect(name).toMatch(/^(system|machines|media|console|serial|debug|traps)\.[a-zA-Z]+$/);
});
