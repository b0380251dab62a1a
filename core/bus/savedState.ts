// Shapes of saved state: the one description of a device's record that both checks and copies it.
// A shape names every field of its type, so a field added to the type and forgotten here does not compile.
import { SnapshotError, type StateCodec } from './device.ts';

/** Checks an untrusted value and gives back a fresh copy; throws SnapshotError with the path of what does not fit. */
export type Check<T> = (value: unknown, path: string) => T;

export type Shape<S> = { readonly [K in keyof S]-?: Check<S[K]> };

const fail = (path: string, expected: string): never => {
  throw new SnapshotError(`saved state does not fit: ${path || 'value'} must be ${expected}`);
};

export const integer =
  (min: number, max: number): Check<number> =>
  (value, path) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : fail(path, `an integer from ${min} to ${max}`);

export const u8 = integer(0, 0xff);
export const u16 = integer(0, 0xffff);
export const u32 = integer(0, 0xffffffff);
/** Guest time or a tick count. */
export const count = integer(0, Number.MAX_SAFE_INTEGER);

export const flag: Check<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : fail(path, 'true or false');

export const oneOf =
  <const T extends string | number>(...allowed: T[]): Check<T> =>
  (value, path) =>
    allowed.includes(value as T) ? (value as T) : fail(path, `one of ${allowed.join(', ')}`);

/** Bytes of exactly `length`, or of at most that when `atMost`. */
export const bytes =
  (length: number, atMost = false): Check<Uint8Array<ArrayBuffer>> =>
  (value, path) =>
    value instanceof Uint8Array && (value.length === length || (atMost && value.length < length))
      ? new Uint8Array(value)
      : fail(path, `${atMost ? 'at most ' : ''}${length} bytes`);

export const list =
  <T>(item: Check<T>, max: number, min = 0): Check<T[]> =>
  (value, path) =>
    Array.isArray(value) && value.length >= min && value.length <= max
      ? value.map((entry: unknown, index) => item(entry, `${path}[${index}]`))
      : fail(path, `a list of ${min} to ${max} entries`);

export const nullable =
  <T>(inner: Check<T>): Check<T | null> =>
  (value, path) =>
    value === null ? null : inner(value, path);

export const record =
  <S extends object>(shape: Shape<S>): Check<S> =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(path, 'a record');
    const source = value as Record<string, unknown>;
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(shape)) {
      const at = path === '' ? key : `${path}.${key}`;
      if (!Object.hasOwn(source, key)) fail(at, 'present');
      copy[key] = (shape as Record<string, Check<unknown>>)[key]!(source[key], at);
    }
    for (const key of Object.keys(source)) if (!Object.hasOwn(shape, key)) fail(path === '' ? key : `${path}.${key}`, 'absent');
    return copy as S;
  };

/** The codec of a device whose guest-visible state is one record. `load` gets a checked copy that it may keep. */
export function recordCodec<S extends object>(
  version: number,
  check: Check<S>,
  current: () => S,
  load: (saved: S) => void,
): StateCodec<S> {
  return {
    version,
    save: () => check(current(), ''),
    restore(saved, savedVersion) {
      if (savedVersion !== version)
        throw new SnapshotError(`saved state has version ${savedVersion}, this device reads version ${version}`);
      load(check(saved, ''));
    },
  };
}
