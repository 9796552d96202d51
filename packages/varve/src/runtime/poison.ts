/**
 * Fail-stop: the one flag that says that this database may not promise anything any more.
 *
 * Raised once, by the first failed fsync or failed log or manifest write (CONTRACT 7); it keeps that first cause. From then
 * on no write is accepted, no flush or edit is installed; reads go on. Only a new open clears it.
 */
import { VarveError } from '../base/errors.ts';

export class Poison {
  #cause: unknown;
  #raised = false;
  readonly #onRaise: (cause: unknown) => void;

  constructor(onRaise: (cause: unknown) => void) {
    this.#onRaise = onRaise;
  }

  get raised(): boolean {
    return this.#raised;
  }

  get cause(): unknown {
    return this.#cause;
  }

  /** Raises the flag; later calls are ignored, the first cause stays. */
  raise(cause: unknown): void {
    if (this.#raised) return;
    this.#raised = true;
    this.#cause = cause;
    this.#onRaise(cause);
  }

  /** Throws `POISONED` (kind `io`) with the first cause when raised. */
  check(): void {
    if (this.#raised) throw this.error();
  }

  error(): VarveError {
    const first = this.#cause instanceof Error ? this.#cause.message : String(this.#cause);
    return new VarveError(
      'io',
      'POISONED',
      `the database stopped accepting writes after a failure: ${first}; reads still work, reopen to recover`,
      { first },
      { cause: this.#cause },
    );
  }
}
