// The script by which a firmware places ACPI tables and fills in their addresses (QEMU include/hw/acpi/bios-linker-loader).

const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const command = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
export const zones = { high: 1, low: 2 } as const;

export class TableLoader {
  readonly #commands: Uint8Array[] = [];

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#commands.length * COMMAND_BYTES);
    this.#commands.forEach((entry, index) => bytes.set(entry, index * COMMAND_BYTES));
    return bytes;
  }

  /** Memory for a file. */
  allocate(file: string, alignment: number, zone: (typeof zones)[keyof typeof zones]): void {
    this.#add(command.allocate, [file], (view, at) => {
      view.setUint32(at, alignment, true);
      view.setUint8(at + 4, zone);
    });
  }

  /** Adds the address of `source` to `size` bytes at `offset` of `file`. */
  addPointer(file: string, source: string, offset: number, size: number): void {
    this.#add(command.addPointer, [file, source], (view, at) => {
      view.setUint32(at, offset, true);
      view.setUint8(at + 4, size);
    });
  }

  /** Makes `length` bytes from `start` of `file` add up to zero by the byte at `offset`. */
  addChecksum(file: string, offset: number, start: number, length: number): void {
    this.#add(command.addChecksum, [file], (view, at) =>
      [offset, start, length].forEach((value, index) => view.setUint32(at + index * 4, value, true)),
    );
  }

  #add(kind: number, names: readonly string[], fill: (view: DataView, at: number) => void): void {
    const bytes = new Uint8Array(COMMAND_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, kind, true);
    names.forEach((name, index) => {
      for (let character = 0; character < name.length; character++) bytes[4 + index * NAME_BYTES + character] = name.charCodeAt(character);
    });
    fill(view, 4 + names.length * NAME_BYTES);
    this.#commands.push(bytes);
  }
}
