// Entry of a VM process.
import { createDebugService, createMachine } from '../../core/api/engine.ts';
import { processPort } from './processPort.ts';
import { runVmProcess } from './vmProcess.ts';

runVmProcess(processPort(), createMachine, createDebugService);
