// Entry of a VM process that holds a fake machine.
import { processPort } from '../../src-main/vm-host/processPort.ts';
import { runVmProcess } from '../../src-main/vm-host/vmProcess.ts';
import { createFakeDebugService } from './fakeDebugService.ts';
import { FakeMachine } from './fakeMachine.ts';

runVmProcess(processPort(), (configuration, host) => new FakeMachine(configuration, host), createFakeDebugService);
