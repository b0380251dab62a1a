// What a debugger may look at in a machine, beyond what its host process sees.
import type { Device } from '../bus/device.ts';
import type { Disposable } from '../base/disposable.ts';
import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { ExitPolicyConfiguration } from './exitPolicy.ts';
import type { Machine } from './machine.ts';

export interface UnclaimedAccess {
  readonly kind: 'port' | 'memory';
  readonly address: number;
  reads: number;
  writes: number;
}

export interface MachineInspection {
  readonly hypervisor: Hypervisor;
  readonly devices: readonly Device[];
  /** A device's whole state in short, for comparisons. */
  deviceText(device: Device): string;
  /** Who answers a port or a physical address; null: nobody. */
  portOwner(port: number): string | null;
  mmioOwner(address: number): string | null;
  mmioRanges(): readonly { readonly base: number; readonly length: number; readonly name: string }[];
  readonly cpuModel: string;
  /** The policy that the machine was configured with. */
  readonly policy: ExitPolicyConfiguration;
  readonly symbols: readonly { readonly path: string; readonly offset: string }[];
  /** Different ports and addresses that nobody answered, the first ones. */
  unclaimed(): readonly UnclaimedAccess[];
  readonly onReset: (listener: () => void) => Disposable;
}

export interface InspectableMachine extends Machine {
  readonly inspection: MachineInspection;
}

export function isInspectable(machine: Machine): machine is InspectableMachine {
  return 'inspection' in machine;
}
