/** Something that holds a registration or a resource until it is disposed of. */
export interface Disposable {
  dispose(): void;
}

/** Disposes of everything registered with it, last registered first. */
export class DisposableStore implements Disposable {
  readonly #items: Disposable[] = [];

  add<T extends Disposable>(item: T): T {
    this.#items.push(item);
    return item;
  }

  dispose(): void {
    while (this.#items.length > 0) this.#items.pop()!.dispose();
  }
}
