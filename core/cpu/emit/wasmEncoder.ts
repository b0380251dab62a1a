// WebAssembly binary encoding (WebAssembly Core Specification 2.0, chapter 5, and the threads proposal's shared memories).

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export const TYPE_BYTE = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;

/** Unsigned LEB128 of a number below 2^32. */
export function uleb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of an i32. */
export function sleb32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

/** Signed LEB128 of an i64. */
export function sleb64(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asIntN(64, value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

/** A name: its UTF-8 bytes (ASCII here) behind their count. */
export function name(text: string): number[] {
  return [...uleb(text.length), ...[...text].map((character) => character.charCodeAt(0) & 0x7f)];
}

export function section(id: number, content: readonly number[]): number[] {
  return [id, ...uleb(content.length), ...content];
}

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

interface DefinedFunction {
  readonly type: number;
  readonly exportName: string | null;
  /** Local declarations and code, without the size prefix; set once the body is known. */
  body: readonly number[] | null;
}

/** Handle of a function inside one module. */
export interface FunctionReference {
  readonly type: FunctionType;
  readonly index: number;
}

/** Builds one module that imports a shared memory `env.memory` and functions from `env`. Imports come before definitions. */
export class ModuleBuilder {
  readonly #types: FunctionType[] = [];
  readonly #typeKeys = new Map<string, number>();
  readonly #imports: { name: string; type: number }[] = [];
  readonly #functions: DefinedFunction[] = [];
  #table: readonly FunctionReference[] = [];
  #tableName: string | null = null;
  readonly #memory: { initialPages: number; maximumPages: number };

  constructor(memory: { initialPages: number; maximumPages: number }) {
    this.#memory = memory;
  }

  importFunction(importName: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionReference {
    if (this.#functions.length > 0) throw new Error(`import ${importName} comes after a definition`);
    this.#imports.push({ name: importName, type: this.#typeIndex(parameters, results) });
    return { type: { parameters, results }, index: this.#imports.length - 1 };
  }

  /** Declares a function; `define` gives it its body later, so that functions may call each other. */
  declare(
    parameters: readonly ValueType[],
    results: readonly ValueType[],
    exportName: string | null = null,
  ): FunctionReference & { define(body: readonly number[]): void } {
    const entry: DefinedFunction = { type: this.#typeIndex(parameters, results), exportName, body: null };
    this.#functions.push(entry);
    return {
      type: { parameters, results },
      index: this.#imports.length + this.#functions.length - 1,
      define: (body) => {
        entry.body = body;
      },
    };
  }

  /** Index of a type for indirect calls. */
  typeOf(type: FunctionType): number {
    return this.#typeIndex(type.parameters, type.results);
  }

  /**
   * The functions that indirect calls reach by number; of one type, whose index is returned. Under its name the table is exported,
   * and may grow.
   */
  setTable(functions: readonly FunctionReference[], type: FunctionType, exportName: string | null = null): number {
    this.#table = functions;
    this.#tableName = exportName;
    return this.#typeIndex(type.parameters, type.results);
  }

  finish(): Uint8Array<ArrayBuffer> {
    const types = this.#types.flatMap((type) => [
      0x60,
      ...uleb(type.parameters.length),
      ...type.parameters.map((t) => TYPE_BYTE[t]),
      ...uleb(type.results.length),
      ...type.results.map((t) => TYPE_BYTE[t]),
    ]);
    const imports = this.#imports.flatMap((entry) => [...name('env'), ...name(entry.name), 0x00, ...uleb(entry.type)]);
    imports.push(...name('env'), ...name('memory'), 0x02, 0x03);
    imports.push(...uleb(this.#memory.initialPages), ...uleb(this.#memory.maximumPages));
    const exported = this.#functions
      .map((entry, position) => ({ entry, index: this.#imports.length + position }))
      .filter(({ entry }) => entry.exportName !== null);
    const code: number[] = [...uleb(this.#functions.length)];
    for (const entry of this.#functions) {
      if (entry.body === null) throw new Error(`function ${entry.exportName ?? '(internal)'} has no body`);
      appendAll(code, uleb(entry.body.length));
      appendAll(code, entry.body);
    }
    const bytes: number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    appendAll(bytes, section(1, [...uleb(this.#types.length), ...types]));
    appendAll(bytes, section(2, [...uleb(this.#imports.length + 1), ...imports]));
    appendAll(
      bytes,
      section(3, [...uleb(this.#functions.length), ...this.#functions.flatMap((entry) => uleb(entry.type))]),
    );
    const entries = this.#table.length;
    if (entries > 0) appendAll(bytes, section(4, [1, 0x70, 0, ...uleb(entries)]));
    appendAll(
      bytes,
      section(7, [
        ...uleb(exported.length + (this.#tableName === null ? 0 : 1)),
        ...(this.#tableName === null ? [] : [...name(this.#tableName), 0x01, 0x00]),
        ...exported.flatMap(({ entry, index }) => [...name(entry.exportName!), 0x00, ...uleb(index)]),
      ]),
    );
    if (entries > 0) {
      const members = this.#table.flatMap((member) => uleb(member.index));
      appendAll(bytes, section(9, [1, 0, 0x41, 0, 0x0b, ...uleb(entries), ...members]));
    }
    appendAll(bytes, [10, ...uleb(code.length)]);
    appendAll(bytes, code);
    return new Uint8Array(bytes);
  }

  #typeIndex(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters.join()}:${results.join()}`;
    const known = this.#typeKeys.get(key);
    if (known !== undefined) return known;
    this.#types.push({ parameters, results });
    this.#typeKeys.set(key, this.#types.length - 1);
    return this.#types.length - 1;
  }
}

/** `target.push(...source)` without its limit on argument counts. */
export function appendAll(target: number[], source: readonly number[]): void {
  for (let index = 0; index < source.length; index++) target.push(source[index]);
}
