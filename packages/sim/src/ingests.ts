/**
 * Ingestions of a life, and transactions that are larger than a batch, which are committed as those are: one at a time, begun at a random moment, committed at a moment that the engine chooses, sometimes
 * given up, out of order or from a source that throws. The event says at which sequence one became visible; until it has
 * come, or after a crash, it is not known whether it will.
 */
import type { Database } from 'varve';
import type { Random } from 'varve/testing';
import { type TextKeyspace, Violation } from './check.ts';
import type { Change, Write } from './model.ts';
import { largeWrites } from './large-writes.ts';
import { type LifeSettings, padded, randomKey } from './workload.ts';

interface Pending {
  readonly changes: readonly Change[];
  readonly abort: AbortController;
  /** By the database's clock, when the entries were given to it. */
  readonly time: number;
  /** Why it must not be committed, if it must not. */
  readonly wrong: 'order' | 'source' | undefined;
  sequence: number | undefined;
}

function isSeveral(into: TextKeyspace | readonly TextKeyspace[]): into is readonly TextKeyspace[] {
  return Array.isArray(into);
}

class SourceFailure extends Error {}

export class Ingests {
  readonly #random: Random;
  readonly #settings: LifeSettings;
  readonly #isStopped: () => boolean;
  #pending: Pending | undefined;
  #violation: Violation | undefined;
  /** The latest that events told of: of a transaction there is one for each keyspace. */
  #told = 0;
  /** Ingestions that the model has, and whose events have not come. */
  #taken: number[] = [];

  constructor(random: Random, settings: LifeSettings, isStopped: () => boolean) {
    this.#random = random;
    this.#isStopped = isStopped;
    this.#settings = settings;
  }

  /** Learns from the events of `db` when one is committed. */
  listen(db: Database): void {
    db.events.addEventListener('ingest', (event) => {
      const { sequence, keyspace } = (event as CustomEvent<{ sequence: number; keyspace: string }>).detail;
      if (sequence === this.#told) return;
      this.#told = sequence;
      if (this.#taken.length > 0) {
        const expected = this.#taken.shift()!;
        if (sequence !== expected)
          this.#violation = new Violation(`an ingestion is visible at ${sequence}, should be ${expected}`);
        return;
      }
      const pending = this.#pending;
      if (pending?.wrong !== undefined || pending === undefined) {
        this.#violation = new Violation(
          `an ingestion into ${keyspace} that failed is visible at ${sequence}`,
        );
      } else pending.sequence = sequence;
    });
  }

  /** What one under way will do, unless it does nothing. */
  get pending(): Write | undefined {
    return this.#pending?.wrong === undefined ? this.#pending : undefined;
  }

  /** All that may have happened when the machine dies in a write that waits, or outside of writes. */
  histories(write?: Write): Write[][] {
    const { pending } = this;
    const own = write === undefined ? [] : [write];
    return pending === undefined ? [own] : [own, [pending, ...own]];
  }

  /** What has been committed at `sequence`, once: from then on it is the model's. */
  takeAt(sequence: number): Write | undefined {
    if (this.#violation !== undefined) throw this.#violation;
    const pending = this.#pending;
    if (pending === undefined || pending.sequence !== sequence) return undefined;
    this.#pending = undefined;
    return pending;
  }

  /** The same for one whose event has not come yet. */
  take(sequence: number): Write {
    const pending = this.#pending!;
    this.#pending = undefined;
    this.#taken.push(sequence);
    return pending;
  }

  /**
   * Begins one, or gives up the one under way; the promise is for the sequence that is as durable as `durability`.
   *
   * @param into of an ingestion; several: those of a large transaction
   */
  act(
    db: Database,
    into: TextKeyspace | readonly TextKeyspace[],
    time: number,
    reached: (durability: 'os' | 'disk', sequence: number) => void,
  ): Promise<void> {
    const random = this.#random;
    if (this.#pending !== undefined) {
      if (random.oneIn(3)) this.#pending.abort.abort();
      return Promise.resolve();
    }
    const durability = random.pick(['memory', 'os', 'disk'] as const);
    if (isSeveral(into)) return this.#transact(db, into, time, durability, reached);
    const keyspace = into;
    const wrong = random.oneIn(5) ? random.pick(['order', 'source'] as const) : undefined;
    const changes = this.#randomPuts(keyspace.name);
    const abort = new AbortController();
    const pending: Pending = { changes, abort, time, wrong, sequence: undefined };
    this.#pending = pending;
    const options = { durability, signal: abort.signal };
    return db.ingest(keyspace, entriesOf(changes, wrong), options).then(
      ({ sequence, entries }) => {
        if (wrong !== undefined) throw new Violation(`an ingestion with a wrong ${wrong} did not fail`);
        if (entries !== changes.length)
          throw new Violation(`${entries} entries were ingested, not ${changes.length}`);
        if (durability !== 'memory') reached(durability, sequence);
      },
      (error: unknown) => {
        this.#failed(pending);
        if (!isExpected(error, wrong)) throw error;
      },
    );
  }

  async #transact(
    db: Database,
    keyspaces: readonly TextKeyspace[],
    time: number,
    durability: 'memory' | 'os' | 'disk',
    reached: (durability: 'os' | 'disk', sequence: number) => void,
  ): Promise<void> {
    const { tx, changes } = largeWrites(db, keyspaces, this.#random, this.#settings);
    const abort = new AbortController();
    abort.signal.addEventListener('abort', () => tx.rollback());
    const pending: Pending = { changes, abort, time, wrong: undefined, sequence: undefined };
    this.#pending = pending;
    try {
      const sequence = await tx.commit({ durability });
      if (durability !== 'memory') reached(durability, sequence);
    } catch (error) {
      this.#failed(pending);
      const { code, kind } = error as { code?: string; kind?: string };
      if (kind !== 'conflict' && code !== 'TRANSACTION_ENDED' && !isExpected(error, undefined)) throw error;
    }
  }

  /** Given up after it was committed, it stays; and one that died with the machine may be in the log. */
  #failed(pending: Pending): void {
    if (this.#pending === pending && pending.sequence === undefined && !this.#isStopped())
      this.#pending = undefined;
  }

  #randomPuts(keyspace: string): Extract<Change, { kind: 'put' }>[] {
    const random = this.#random;
    const keys = new Set<string>();
    for (let i = random.below(random.pick([3, 40, 300])); i >= 0; i--)
      keys.add(randomKey(random, this.#settings));
    return [...keys].sort().map((key) => {
      const filler = 'i'.repeat(random.below(this.#settings.valueBytesMax));
      return {
        kind: 'put',
        keyspace,
        key,
        value: padded(`ingested-${random.u32()}-${filler}`, this.#settings),
        ttlMs: this.#settings.keyspace.ttlMs,
      };
    });
  }
}

function* entriesOf(
  changes: readonly Extract<Change, { kind: 'put' }>[],
  wrong: Pending['wrong'],
): Generator<[string, string]> {
  for (const { key, value } of changes) yield [key, value];
  if (wrong === 'source') throw new SourceFailure('the source of an ingestion failed');
  // The last key again.
  if (wrong === 'order') yield [changes.at(-1)!.key, ''];
}

function isExpected(error: unknown, wrong: Pending['wrong']): boolean {
  if (error instanceof SourceFailure) return wrong === 'source';
  const { code, kind } = error as { code?: string; kind?: string };
  if (code === 'INGEST_NOT_SORTED') return wrong === 'order';
  return code === 'KEYSPACE_DROPPED' || kind === 'busy' || kind === 'closed';
}
