// The UEFI variables' flash memory over its file: when the flash goes back to being read, the file is replaced as a whole.
import type { FlashPlacement } from '../chipset/i440fxBoard.ts';
import type { StateFile } from '../host/stateFile.ts';
import type { RomSpace } from './romSpace.ts';

export class FlashFile {
  readonly #place: ReturnType<RomSpace['installFlash']>;
  readonly #file: StateFile;
  readonly #onError: (error: Error) => void;
  #changed = false;

  constructor(place: ReturnType<RomSpace['installFlash']>, file: StateFile, onError: (error: Error) => void) {
    this.#place = place;
    this.#file = file;
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
        this.#changed = true;
      },
    };
  }

  #writeBack(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.#file.replace(this.#place.content, (error) => {
      if (error) this.#onError(error);
    });
  }
}
