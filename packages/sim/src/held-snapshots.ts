/**
 * Snapshots that are held while the database changes under them and time passes: taken, looked at and closed at random
 * moments. Each must show exactly the state of the moment at which it was taken, with what had not expired by then.
 */
import type { Database, Snapshot } from 'varve';
import type { Random } from 'varve/testing';
import { checkKeyspace, type TextKeyspace } from './check.ts';
import type { Model } from './model.ts';

const HELD_MAX = 4;

interface HeldSnapshot {
  readonly snapshot: Snapshot;
  /** When it was taken, by the database's clock. */
  readonly time: number;
  readonly keyspaces: readonly string[];
}

export class HeldSnapshots {
  readonly #random: Random;
  readonly #model: Model;
  readonly #keyspaces: ReadonlyMap<string, TextKeyspace>;
  #held: HeldSnapshot[] = [];

  constructor(random: Random, model: Model, keyspaces: ReadonlyMap<string, TextKeyspace>) {
    this.#random = random;
    this.#model = model;
    this.#keyspaces = keyspaces;
  }

  take(db: Database, time: number): void {
    if (this.#held.length >= HELD_MAX) return;
    this.#held.push({ snapshot: db.snapshot(), time, keyspaces: [...this.#keyspaces.keys()] });
  }

  /** Looks at one, and closes it or not. */
  check(): void {
    if (this.#held.length === 0) return;
    const at = this.#random.below(this.#held.length);
    const { snapshot, time, keyspaces } = this.#held[at]!;
    const { sequence } = snapshot;
    for (const name of keyspaces) {
      const keyspace = this.#keyspaces.get(name);
      // A keyspace that was dropped (and perhaps made anew) since is not the one the snapshot saw.
      if (keyspace === undefined || !this.#model.names(sequence).includes(name)) continue;
      checkKeyspace(keyspace, snapshot, this.#model, { sequence, time }, 'in a snapshot');
    }
    if (this.#random.oneIn(2)) {
      snapshot.close();
      this.#held.splice(at, 1);
    }
  }

  /** The keyspace is dropped. */
  forget(name: string): void {
    this.#held = this.#held.map((each) => ({
      ...each,
      keyspaces: each.keyspaces.filter((other) => other !== name),
    }));
  }

  close(): void {
    for (const { snapshot } of this.#held) snapshot.close();
  }
}
