/**
 * User code that the owner's thread was given, by number: jobs that run on that thread find it here (base/code-source.ts). One
 * object a database.
 */

export class UserCode {
  readonly #byId = new Map<number, unknown>();

  add(id: number, code: unknown): void {
    this.#byId.set(id, code);
  }

  readonly find = (id: number): unknown => this.#byId.get(id);
}
