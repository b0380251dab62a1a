// The machines a user has: one folder each with `machine.json`, disks made for it and its last picture.
import fs from 'node:fs/promises';
import path from 'node:path';
import { validationMessage } from '../../core/api/dispatch.ts';
import { Failure } from '../../core/api/failure.ts';
import { machineIdSchema, machineRecordSchema } from '../../core/api/machines.ts';
import type { MachineRecord } from '../../core/api/machines.ts';
import { reasonOf } from '../vm-host/fileProblem.ts';
import { writeAtomically, writeJson } from './jsonFile.ts';

export interface LibraryProblem {
  readonly file: string;
  readonly message: string;
}

const RECORD_FILE = 'machine.json';
const PICTURE_FILE = 'picture.png';

export class Library {
  readonly folder: string;
  readonly mediaFolder: string;
  readonly #machinesFolder: string;
  readonly #records = new Map<string, MachineRecord>();
  #problems: LibraryProblem[] = [];

  constructor(folder: string) {
    this.folder = path.resolve(folder);
    this.mediaFolder = path.join(this.folder, 'media');
    this.#machinesFolder = path.join(this.folder, 'machines');
  }

  get records(): readonly MachineRecord[] {
    return [...this.#records.values()];
  }

  get problems(): readonly LibraryProblem[] {
    return this.#problems;
  }

  /** Reads all records. What cannot be read is reported and left alone. */
  async open(): Promise<void> {
    try {
      await fs.mkdir(this.#machinesFolder, { recursive: true });
      await fs.mkdir(this.mediaFolder, { recursive: true });
    } catch (error) {
      throw new Failure('bad-input', `${this.folder}: the library cannot be opened`, { reason: reasonOf(error) });
    }
    this.#records.clear();
    this.#problems = [];
    const entries = await fs.readdir(this.#machinesFolder, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
      const file = path.join(this.#machinesFolder, entry.name, RECORD_FILE);
      if (!entry.isDirectory()) continue;
      try {
        const record = machineRecordSchema.safeParse(JSON.parse(await fs.readFile(file, 'utf8')));
        if (!record.success) this.#problems.push({ file, message: validationMessage(record.error) });
        else if (record.data.id !== entry.name) this.#problems.push({ file, message: 'its id is not its folder name' });
        else this.#records.set(record.data.id, record.data);
      } catch (error) {
        const message = error instanceof SyntaxError ? 'it is not valid JSON' : reasonOf(error);
        this.#problems.push({ file, message });
      }
    }
  }

  get(id: string): MachineRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new Failure('not-found', `There is no machine "${id}".`);
    return record;
  }

  machineFolder(id: string): string {
    return path.join(this.#machinesFolder, machineIdSchema.parse(id));
  }

  /** Makes the machine's folder; `fill` adds files to it first and gives the record that names them. Nothing remains if any step fails. */
  async add({ id }: { readonly id: string }, fill: (folder: string) => Promise<MachineRecord>): Promise<MachineRecord> {
    const folder = this.machineFolder(id);
    await fs.mkdir(folder);
    try {
      const record = await fill(folder);
      await writeJson(path.join(folder, RECORD_FILE), record);
      this.#records.set(id, record);
      return record;
    } catch (error) {
      await fs.rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async update(record: MachineRecord): Promise<void> {
    this.get(record.id);
    await writeJson(path.join(this.machineFolder(record.id), RECORD_FILE), record);
    this.#records.set(record.id, record);
  }

  async remove(id: string): Promise<void> {
    this.get(id);
    await fs.rm(this.machineFolder(id), { recursive: true, force: true });
    this.#records.delete(id);
  }

  /** A free id that resembles `name`. */
  async freeId(name: string): Promise<string> {
    const ascii = name.normalize('NFKD').toLowerCase();
    const stem =
      ascii
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 48)
        .replace(/-+$/, '') || 'machine';
    const taken = new Set(await fs.readdir(this.#machinesFolder));
    for (let number = 1; ; number++) {
      const id = number === 1 ? stem : `${stem}-${number}`;
      if (!taken.has(id)) return id;
    }
  }

  /** `name`, or `name 2` and so on if it is taken. */
  freeName(name: string): string {
    const taken = new Set(this.records.map((record) => record.name));
    for (let number = 1; ; number++) {
      const candidate = number === 1 ? name : `${name.slice(0, 76)} ${number}`;
      if (!taken.has(candidate)) return candidate;
    }
  }

  async readPicture(id: string): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      return new Uint8Array(await fs.readFile(path.join(this.machineFolder(id), PICTURE_FILE)));
    } catch {
      return null;
    }
  }

  async writePicture(id: string, png: Uint8Array): Promise<void> {
    if (this.#records.has(id)) await writeAtomically(path.join(this.machineFolder(id), PICTURE_FILE), png);
  }
}

/** Every host file a record refers to. */
export function filesOf(record: MachineRecord): string[] {
  const { disks, cdrom, floppy, kernel, firmware } = record.configuration;
  return [
    ...disks.map((disk) => disk.path),
    cdrom,
    floppy?.path ?? null,
    kernel?.path ?? null,
    kernel?.initrd ?? null,
    ...(kernel?.modules ?? []),
    firmware.bios,
    firmware.vgaBios,
    firmware.variables,
  ].filter((file) => file !== null);
}
