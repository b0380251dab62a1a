// Runs one benchmark guest on Trapeze in this process and prints what happened as JSON lines.
//   node trapeze.ts '{"kernel": ..., "until": "text on COM1", "idleSeconds": 5}'
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Meter, parseTask } from './meter.ts';

const task = parseTask(process.argv[2]);
/** A module of the checkout that is measured. */
const from = (file: string): string =>
  task.checkout === null ? `../../${file}` : pathToFileURL(path.join(task.checkout, file)).href;
const { machineConfigurationSchema } = (await import(from('core/machine/configuration.ts'))) as typeof import('../../core/machine/configuration.ts');
const { createMachine } = (await import(from('core/machine/createMachine.ts'))) as typeof import('../../core/machine/createMachine.ts');
const { createNodeHost } = (await import(from('src-main/vm-host/nodeHost.ts'))) as typeof import('../../src-main/vm-host/nodeHost.ts');

const host = createNodeHost({ log: { write: () => {} }, holder: 'benchmark' });
const machine = createMachine(
  machineConfigurationSchema.parse({
    memoryMiB: task.memoryMiB,
    kernel: { path: task.kernel, initrd: task.initrd, commandLine: task.commandLine },
    debugExit: true,
  }),
  host,
);
const meter = new Meter(task, () => ({ instructions: machine.statistics().instructions }));
machine.onSerialOutput(({ bytes }) => meter.serial(String.fromCharCode(...bytes)));
machine.start();
