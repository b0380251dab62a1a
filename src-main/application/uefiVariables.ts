// A machine's UEFI variables are its own: what is chosen is a template, of which a copy lies in the machine's folder.
import fs from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '../../core/api/failure.ts';
import type { MachineConfiguration } from '../../core/machine/configuration.ts';
import { fileFailure, statFile } from '../vm-host/fileProblem.ts';
import { writeAtomically } from './jsonFile.ts';

const FILE = 'uefi-variables.fd';
const EXPECTED = 'a UEFI variable store';
const BLOCK_BYTES = 4096;
const MAX_BYTES = 16 * 1024 * 1024;

/** Throws a `Failure` unless the file can be a variable store of a machine that has a firmware for it. */
export function checkVariables({ bios, variables }: MachineConfiguration['firmware']): void {
  if (variables === null) return;
  const { size } = statFile(variables, EXPECTED);
  if (size % BLOCK_BYTES !== 0 || size > MAX_BYTES)
    throw new Failure('bad-input', `${variables}: it is no UEFI variable store`, {
      reason: `Expected a multiple of ${BLOCK_BYTES} bytes up to 16 MiB, found ${size}.`,
      action: 'Choose the variables file that comes with the firmware, for example OVMF_VARS.fd.',
    });
  if (bios === null)
    throw new Failure('bad-input', 'UEFI variables belong to a UEFI firmware.', {
      reason: 'This machine starts with the BIOS of Trapeze.',
      action: 'Choose a firmware file as well, for example OVMF_CODE.fd, or remove the variables.',
    });
}

/** The configuration with a copy of its variables in `folder`. What is there already stays. */
export async function withOwnVariables(
  configuration: MachineConfiguration,
  folder: string,
): Promise<MachineConfiguration> {
  const { variables } = configuration.firmware;
  const own = path.join(folder, FILE);
  if (variables === null || path.resolve(variables) === own) return configuration;
  try {
    await writeAtomically(own, await fs.readFile(variables));
  } catch (error) {
    throw fileFailure(variables, EXPECTED, error);
  }
  return { ...configuration, firmware: { ...configuration.firmware, variables: own } };
}

/** Removes a copy that the machine no longer uses. */
export async function discardVariables({ firmware }: MachineConfiguration, folder: string): Promise<void> {
  if (firmware.variables === null) await fs.rm(path.join(folder, FILE), { force: true });
}
