// What must be true of this computer before a machine starts.
import os from 'node:os';
import { Failure } from '../../core/api/failure.ts';
import { processorProblems } from '../../core/machine/processor.ts';
import type { MachineConfiguration } from '../../core/machine/configuration.ts';
import { checkVariables } from './uefiVariables.ts';
import { checkAttachment } from './mediaDetection.ts';
import { statFile } from '../vm-host/fileProblem.ts';

const MIB = 1024 * 1024;

/** Throws a `Failure` if guest memory alone would exceed the host's. */
export function checkMemory(memoryMiB: number, hostBytes = os.totalmem()): void {
  const hostMiB = Math.floor(hostBytes / MIB);
  if (memoryMiB <= hostMiB) return;
  throw new Failure('host-limit', `${memoryMiB} MiB of memory are more than this computer has`, {
    reason: `It has ${hostMiB} MiB.`,
    action: `Give the machine at most ${Math.max(16, Math.floor(hostMiB / 2))} MiB.`,
  });
}

/** Throws a `Failure` that says what keeps the processor from being one. */
export function checkProcessor(cpu: MachineConfiguration['cpu']): void {
  const [problem] = processorProblems(cpu);
  if (problem === undefined) return;
  throw new Failure('bad-request', `The processor cannot be as it is described: ${problem.message}`, {
    action:
      problem.feature === null
        ? 'Change what CPUID answers.'
        : `Turn ${problem.feature} off, or what it needs on, or choose another model.`,
  });
}

/** Throws a `Failure` that names the file and what is wrong with it. */
export function checkConfiguration(configuration: MachineConfiguration): void {
  checkMemory(configuration.memoryMiB);
  checkProcessor(configuration.cpu);
  for (const disk of configuration.disks) checkAttachment(disk.path, 'disk');
  if (configuration.cdrom !== null) checkAttachment(configuration.cdrom, 'cdrom');
  if (configuration.floppy !== null) checkAttachment(configuration.floppy.path, 'floppy');
  const { kernel, firmware } = configuration;
  if (kernel !== null) {
    checkAttachment(kernel.path, 'kernel');
    for (const file of [kernel.initrd, ...kernel.modules]) if (file !== null) statFile(file, 'a file with content');
  }
  for (const rom of [firmware.bios, firmware.vgaBios]) if (rom !== null) statFile(rom, 'a ROM image');
  checkVariables(firmware);
}
