// The files behind a machine, with their sizes and what is wrong with them.
import fs from 'node:fs';
import path from 'node:path';
import type { Attachment, MachineRecord } from '../../core/api/machines.ts';
import { reasonOf } from '../vm-host/fileProblem.ts';

export function attachmentsOf({ configuration }: MachineRecord): Attachment[] {
  const { disks, cdrom, floppy, kernel, firmware } = configuration;
  return [
    ...disks.map((disk, index) => attachment('disk', disk.path, disk.readOnly, index)),
    ...(cdrom === null ? [] : [attachment('cdrom', cdrom, true)]),
    ...(floppy === null ? [] : [attachment('floppy', floppy.path, floppy.readOnly)]),
    ...(kernel === null ? [] : [attachment('kernel', kernel.path, true)]),
    ...(kernel?.initrd == null ? [] : [attachment('initrd', kernel.initrd, true)]),
    ...(kernel?.modules ?? []).map((module, index) => attachment('module', module, true, index)),
    ...[firmware.bios, firmware.vgaBios]
      .filter((rom) => rom !== null)
      .map((rom, index) => attachment('firmware', rom, true, index)),
    ...(firmware.variables === null ? [] : [attachment('firmware', firmware.variables, false, 2)]),
  ];
}

function attachment(slot: Attachment['slot'], file: string, readOnly: boolean, index = 0): Attachment {
  const fields = { slot, index, path: file, name: path.basename(file), readOnly };
  try {
    const status = fs.statSync(file);
    return {
      ...fields,
      sizeBytes: status.size,
      // st_blocks counts 512-byte units whatever the file system's block size is.
      allocatedBytes: Math.min(status.size, (status.blocks ?? 0) * 512),
      problem: status.isFile() ? null : 'it is not a file',
    };
  } catch (error) {
    return { ...fields, sizeBytes: null, allocatedBytes: null, problem: reasonOf(error) };
  }
}
