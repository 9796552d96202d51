/**
 * The applied position of an outside log (`log: 'external'`): which position the memtables have reached, and which one
 * goes into the manifest with the next flush. All keyspaces rotate together, so one number describes the whole database.
 */
import { invalid } from '../base/errors.ts';

export class ExternalPosition {
  #applied: number;
  #atRotation: number;

  constructor(recovered: number) {
    this.#applied = recovered;
    this.#atRotation = recovered;
  }

  get applied(): number {
    return this.#applied;
  }

  /** Throws `POSITION_INVALID` unless `position` is a safe integer above every position applied before. */
  check(position: number): void {
    if (Number.isSafeInteger(position) && position > this.#applied) return;
    throw invalid('POSITION_INVALID', `positions must rise: got ${position}, applied is ${this.#applied}`, {
      got: position,
      applied: this.#applied,
    });
  }

  advance(position: number): void {
    this.#applied = position;
  }

  /** All memtables were rotated: what they hold reaches to the position applied so far. */
  rotated(): void {
    this.#atRotation = this.#applied;
  }

  /** The position that a flush of every immutable makes durable. */
  takeForFlush(): number {
    return this.#atRotation;
  }
}
