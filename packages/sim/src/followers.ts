/**
 * Consumers of the change feed that follow a machine through its lives: each builds a copy of the data out of nothing but changes, stores
 * its token, and goes on from it after every open. At any moment the copy has to be what the database was at the sequence that the
 * consumer has reached; one that has seen what did not survive has to be told so, and starts over.
 *
 * Draws from a source of its own, so that a run differs from the one without followers by nothing but them.
 */
import {
  type Change,
  type ChangeFeed,
  type ChangeToken,
  type Database,
  type DatabaseOptions,
  VarveError,
} from 'varve';
import type { Random } from 'varve/testing';
import { brief, Violation } from './check.ts';
import type { Model } from './model.ts';

interface Held {
  readonly value: string;
  readonly expiresAt: number;
  /** What was merged to a value that expires, and stays behind it. */
  readonly after?: string;
}

/** What is there at a time. */
function shownAt({ value, expiresAt, after }: Held, time: number): string | undefined {
  return expiresAt > time ? value : after;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

class Follower {
  readonly durability: 'os' | 'disk';
  token: ChangeToken | 'oldest' = 'oldest';
  feed: ChangeFeed | undefined;
  isWaiting = false;
  /** Parts of an ingestion that is not whole yet: it counts from its last part on. */
  parts: Change[] = [];
  keyspaces = new Map<string, Map<string, Held>>();

  constructor(durability: 'os' | 'disk') {
    this.durability = durability;
  }

  startOver(): void {
    this.token = 'oldest';
    this.keyspaces = new Map();
  }

  take(change: Change): void {
    this.parts.push(change);
    if (change.ingestion?.isLast === false) return;
    for (const { operations } of this.parts) for (const operation of operations) this.#apply(operation);
    this.parts = [];
    // Stored as text, as a consumer would.
    this.token = JSON.parse(JSON.stringify(change.token)) as ChangeToken;
  }

  #apply(operation: Change['operations'][number]): void {
    const { keyspace } = operation;
    if (operation.type === 'createKeyspace') {
      if (this.keyspaces.has(keyspace)) throw new Violation(`the feed creates ${keyspace} twice`);
      this.keyspaces.set(keyspace, new Map());
      return;
    }
    const entries = this.keyspaces.get(keyspace);
    if (entries === undefined) throw new Violation(`the feed shows ${keyspace}, which is not there`);
    if (operation.type === 'dropKeyspace') this.keyspaces.delete(keyspace);
    else if (operation.type === 'put') {
      const { key, value, expiresAt = Number.POSITIVE_INFINITY } = operation;
      entries.set(text(key), { value: text(value), expiresAt });
    } else if (operation.type === 'merge') {
      const key = text(operation.key);
      const operands = operation.operands.map(text).join('');
      const { value = '', expiresAt = Number.POSITIVE_INFINITY, after = '' } = entries.get(key) ?? {};
      const stays = expiresAt === Number.POSITIVE_INFINITY ? {} : { after: after + operands };
      entries.set(key, { value: value + operands, expiresAt, ...stays });
    } else if (operation.type === 'delete') entries.delete(text(operation.key));
    else if (operation.type === 'deleteRange') {
      const [gte, lt] = [text(operation.range.gte), text(operation.range.lt)];
      for (const key of entries.keys()) if (key >= gte && key < lt) entries.delete(key);
    }
  }
}

export class Followers {
  /** Of databases that are followed: everything is kept. */
  readonly options: DatabaseOptions = { changesRetention: { bytes: 1024 ** 4, bytesMax: 1024 ** 4 } };
  /** Changes that were taken, copies that were found right, and histories that were found lost. */
  readonly counts = { changes: 0, checks: 0, losses: 0 };
  readonly #random: Random;
  readonly #model: Model;
  readonly #followers = [new Follower('disk'), new Follower('os')];

  constructor(random: Random, model: Model) {
    this.#random = random;
    this.#model = model;
  }

  /** A life begins; the model knows what has survived. */
  opened(db: Database): void {
    const { sequence } = db.stats();
    for (const follower of this.#followers) {
      follower.isWaiting = false;
      follower.parts = [];
      const { token, durability } = follower;
      const isLost = token !== 'oldest' && token.sequence > sequence;
      if (isLost && durability === 'disk')
        throw new Violation(`the feed has shown ${token.sequence} as durable, and ${sequence} is left`);
      try {
        follower.feed = db.changes({ since: token, durability });
        if (isLost) throw new Violation(`a token of ${token.sequence} is taken, and ${sequence} is left`);
      } catch (error) {
        if (!isLost || !(error instanceof VarveError) || error.code !== 'CHANGES_LOST') throw error;
        this.counts.losses++;
        follower.startOver();
        follower.feed = db.changes({ since: 'oldest', durability });
      }
      if (follower.token === 'oldest' && follower.feed.token.sequence !== 0)
        throw new Violation(`the oldest change is behind ${follower.feed.token.sequence}`);
    }
  }

  /** Some more changes, and a look at a copy; what fails later is the promise's. */
  async act(time: number): Promise<void> {
    const follower = this.#random.pick(this.#followers);
    if (this.#random.oneIn(3)) this.#check(follower, time);
    if (follower.isWaiting) return;
    follower.isWaiting = true;
    for (let left = 1 + this.#random.below(20); left > 0; left--) {
      const { feed } = follower;
      const { value } = await feed!.next();
      // The machine has died meanwhile.
      if (follower.feed !== feed) return;
      follower.take(value as Change);
      this.counts.changes++;
    }
    follower.isWaiting = false;
  }

  #check({ token, keyspaces, durability }: Follower, time: number): void {
    const sequence = token === 'oldest' ? 0 : token.sequence;
    if (sequence > this.#model.latest) return;
    const names = [...keyspaces.keys()].sort();
    const wanted = this.#model.names(sequence);
    if (names.join() !== wanted.join())
      throw new Violation(
        `a follower (${durability}) has [${names.join()}] at ${sequence}, should have [${wanted.join()}]`,
      );
    for (const [name, entries] of keyspaces) {
      const got = [...entries].filter(([, held]) => shownAt(held, time) !== undefined);
      const expected = this.#model.entries(name, { sequence, time });
      if (got.length !== expected.length)
        throw new Violation(
          `a follower has ${got.length} entries of ${name} at ${sequence}, should have ${expected.length}`,
        );
      for (const [key, value] of expected) {
        const held = entries.get(key);
        const had = held === undefined ? undefined : shownAt(held, time);
        if (had !== value)
          throw new Violation(
            `a follower has ${name}/${key} as ${brief(had)} at ${sequence}, should be ${brief(value)}`,
          );
      }
    }
    this.counts.checks++;
  }
}
