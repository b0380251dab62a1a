// What a machine needs of its process, over Node.
import fs from 'node:fs';
import { Failure } from '../../core/api/failure.ts';
import type { Log } from '../../core/host/log.ts';
import type { MachineHost } from '../../core/machine/machine.ts';
import { AtomicFile } from './atomicFile.ts';
import { FileBlockStore } from './fileBlockStore.ts';
import { fileFailure, statFile } from './fileProblem.ts';
import { hostClock } from './hostClock.ts';

export interface NodeHost extends MachineHost {
  /** Closes every file the machine opened and gives back its locks. */
  closeFiles(): void;
}

export function createNodeHost(options: { log: Log; holder: string; lockFolder?: string }): NodeHost {
  const stores = new Set<{ close(): void }>();
  return {
    clock: hostClock,
    log: options.log,
    openBlockStore(path, { readOnly, sectorBytes }) {
      const lock = options.lockFolder === undefined ? {} : { lockFolder: options.lockFolder };
      const store = new FileBlockStore(path, { readOnly, sectorBytes, holder: options.holder, ...lock });
      stores.add(store);
      return store;
    },
    openStateFile(path, limitBytes) {
      const lock = options.lockFolder === undefined ? {} : { lockFolder: options.lockFolder };
      const file = new AtomicFile(path, { limitBytes, holder: options.holder, ...lock });
      stores.add(file);
      return file;
    },
    readFile(path, limitBytes) {
      const size = statFile(path, 'a file with content').size;
      if (size > limitBytes) {
        throw new Failure('bad-input', `${path}: ${size} bytes are too many`, {
          reason: `At most ${limitBytes} bytes fit.`,
        });
      }
      try {
        return new Uint8Array(fs.readFileSync(path));
      } catch (error) {
        throw fileFailure(path, 'a file that can be read', error);
      }
    },
    closeFiles() {
      for (const store of stores) store.close();
      stores.clear();
    },
  };
}
