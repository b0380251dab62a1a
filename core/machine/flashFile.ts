// Keeps a flash memory's content in its file: changed blocks are written when the flash goes back to being read.
import type { FlashPlacement } from '../chipset/i440fxBoard.ts';
import type { BlockStore } from '../host/blockStore.ts';
import type { RomSpace } from './romSpace.ts';

const SECTOR = 512;

export class FlashFile {
  readonly #place: ReturnType<RomSpace['installFlash']>;
  readonly #store: BlockStore;
  readonly #onError: (error: Error) => void;
  readonly #dirty = new Set<number>();

  constructor(place: ReturnType<RomSpace['installFlash']>, store: BlockStore, onError: (error: Error) => void) {
    this.#place = place;
    this.#store = store;
    this.#onError = onError;
  }

  get options(): FlashPlacement {
    const { base, content } = this.#place;
    return {
      base,
      content,
      onArrayMode: (array) => {
        this.#place.direct(array);
        if (array) this.#writeBack();
      },
      onChange: (offset, length) => {
        this.#place.changed(offset, length);
        for (let sector = Math.floor(offset / SECTOR); sector * SECTOR < offset + length; sector++) this.#dirty.add(sector);
      },
    };
  }

  #writeBack(): void {
    if (this.#dirty.size === 0) return;
    const done = (error?: Error): void => {
      if (error) this.#onError(error);
    };
    for (const sector of this.#dirty) {
      const at = sector * SECTOR;
      this.#store.write(at, Uint8Array.from(this.#place.content.subarray(at, at + SECTOR)), done);
    }
    this.#dirty.clear();
    this.#store.flush(done);
  }
}
