// Runs one benchmark guest on Trapeze in this process and prints what happened as JSON lines.
//   node trapeze.ts '{"kernel": ..., "until": "text on COM1", "idleSeconds": 5}'
import { engineSchema, machineConfigurationSchema } from '../../core/machine/configuration.ts';
import { createMachine } from '../../core/machine/createMachine.ts';
import { createNodeHost } from '../../src-main/vm-host/nodeHost.ts';
import { Meter, parseTask } from './meter.ts';

const task = parseTask(process.argv[2]);
const host = createNodeHost({ log: { write: () => {} }, holder: 'benchmark' });
const machine = createMachine(
  machineConfigurationSchema.parse({
    memoryMiB: task.memoryMiB,
    kernel: { path: task.kernel, initrd: task.initrd, commandLine: task.commandLine },
    debugExit: true,
  }),
  host,
  task.engine === null ? {} : { engine: engineSchema.parse(task.engine) },
);
const meter = new Meter(task, () => ({ instructions: machine.statistics().instructions }));
machine.onSerialOutput(({ bytes }) => meter.serial(String.fromCharCode(...bytes)));
machine.start();
