/**
 * The work of the mixed run: a keyspace for each strategy, one whose entries expire, one that is kept small by range deletes;
 * overwrites, deletes, ranges, gets, snapshots that are held and read again. Every value names its key, and one keyspace has a
 * model beside it: what is read is checked. A write that is refused is counted, and the model knows nothing of it.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Bytes, type Database, type Keyspace, type Snapshot, VarveError } from 'varve';
import { ScrambledZipfian } from '../../compare/ycsb/zipfian.ts';
import { KeyBuffer } from '../../keys.ts';
import { Random } from '../../random.ts';
import { AWAITED, type Sizes } from '../sizes.ts';
import { offers, strategiesOf } from '../stage.ts';

/** Operations between two turns of the event loop. */
const CHUNK = 64;
const WARM_UP_STEPS = 500;
const MODEL_KEYS = 5_000;
const SNAPSHOT_MS = 10_000;
const RANGE_ENTRIES = 50;
const TTL_MS = 20_000;
/** Where the number stands behind the key in a value. */
const KEY_BYTES = 4;

type Bytewise = Keyspace<Bytes, Bytes>;

export class MixedWork {
  operations = 0;
  checked = 0;
  refused = 0;
  readonly wrong: string[] = [];
  readonly names: string[] = [];
  readonly #db: Database;
  readonly #sizes: Sizes;
  readonly #random: Random;
  readonly #zipfian: ScrambledZipfian;
  readonly #key: KeyBuffer;
  readonly #end: KeyBuffer;
  readonly #value: Uint8Array;
  /** Written over and over. */
  readonly #spaces: readonly Bytewise[];
  /** Its entries expire; undefined in a release without. */
  readonly #expiring: Bytewise | undefined;
  /** A queue: ascending keys, of which the oldest ranges are deleted. */
  readonly #queue: Bytewise;
  #queueStart = 0;
  #queueEnd = 0;
  readonly #model: Bytewise;
  /** The number in the value that each key of the model must have; 0: it is not there. */
  readonly #expected = new Uint32Array(MODEL_KEYS);
  #number = 0;
  #held:
    | { readonly snapshot: Snapshot; readonly key: number; readonly number: number; readonly until: number }
    | undefined;

  constructor(db: Database, sizes: Sizes) {
    this.#db = db;
    this.#sizes = sizes;
    this.#random = new Random(sizes.seed);
    this.#zipfian = new ScrambledZipfian(sizes.keys, this.#random);
    this.#key = new KeyBuffer(sizes.keySize);
    this.#end = new KeyBuffer(sizes.keySize);
    this.#value = new Uint8Array(sizes.valueSize);
    // Small parts of the budget, so that short runs flush and compact too.
    const settings = { memtableBytes: sizes.memtableBytes / 8 };
    const named = (name: string, more: object = {}): Bytewise => {
      this.names.push(name);
      return db.keyspace(name, { ...settings, ...more });
    };
    this.#spaces = strategiesOf(db).map((strategy) => {
      const bytesMax = strategy === 'fifo' ? { bytesMax: 4 * sizes.memtableBytes } : {};
      return named(strategy, { compaction: { strategy, ...bytesMax } });
    });
    this.#queue = named('queue');
    this.#model = named('model');
    this.#expiring = offers(db, 'has-ttl', { ttlMs: TTL_MS })
      ? named('expiring', { ttlMs: TTL_MS })
      : undefined;
  }

  /** So much that threads run and code is compiled. */
  async warmUp(): Promise<void> {
    for (let i = 0; i < WARM_UP_STEPS; i++) await this.step();
    await this.#db.flush();
  }

  /** A few dozen operations and a turn of the event loop; one write of them is awaited. */
  async step(): Promise<void> {
    try {
      for (let i = 0; i < CHUNK; i++) this.#operate();
      this.#set(this.#zipfian.next());
      await this.#spaces[0]!.put(this.#key.bytes, this.#value, AWAITED);
    } catch (error) {
      // What was refused was not written, and the model knows nothing of it.
      if (!(error instanceof VarveError) || error.kind !== 'busy') throw error;
      this.refused++;
    }
    this.#lookAtSnapshot();
    this.operations += CHUNK + 1;
    await turn();
  }

  end(): void {
    for (let key = 0; key < MODEL_KEYS; key++) this.#check(key);
    this.#held?.snapshot.close();
  }

  #operate(): void {
    const random = this.#random;
    const space = this.#spaces[random.below(this.#spaces.length)]!;
    const drawn = random.below(100);
    if (drawn < 35) this.#put(space, this.#zipfian.next());
    else if (drawn < 42) {
      this.#key.set(this.#zipfian.next());
      space.delete(this.#key.bytes);
    } else if (drawn < 60) this.#get(space);
    else if (drawn < 62) this.#scan(space);
    else if (drawn < 75) this.#put(this.#queue, this.#queueEnd++ % 2 ** 30);
    else if (drawn < 85) this.#put(this.#expiring ?? space, random.below(this.#sizes.keys));
    else this.#operateOnModel();
    if (this.#queueEnd - this.#queueStart > this.#sizes.keys) this.#shortenQueue();
  }

  /** An operation on the keyspace that has a model beside it. */
  #operateOnModel(): void {
    const random = this.#random;
    const key = random.below(MODEL_KEYS);
    const drawn = random.below(100);
    if (drawn < 40) this.#expected[key] = this.#put(this.#model, key);
    else if (drawn < 55) {
      this.#key.set(key);
      this.#model.delete(this.#key.bytes);
      this.#expected[key] = 0;
    } else if (drawn < 57) {
      const end = Math.min(MODEL_KEYS, key + 1 + random.below(RANGE_ENTRIES));
      this.#deleteRange(this.#model, key, end);
      this.#expected.fill(0, key, end);
    } else this.#check(key);
  }

  #set(key: number): number {
    this.#key.set(key);
    const number = ++this.#number >>> 0;
    // The value names its key and itself; what is behind does not matter.
    new DataView(this.#value.buffer).setUint32(0, key);
    new DataView(this.#value.buffer).setUint32(KEY_BYTES, number);
    return number;
  }

  #put(space: Bytewise, key: number): number {
    const number = this.#set(key);
    space.put(this.#key.bytes, this.#value);
    return number;
  }

  #deleteRange(space: Bytewise, from: number, to: number): void {
    this.#key.set(from);
    this.#end.set(to);
    space.deleteRange({ gte: this.#key.bytes, lt: this.#end.bytes });
  }

  #shortenQueue(): void {
    const to = this.#queueStart + Math.ceil(this.#sizes.keys / 20);
    this.#deleteRange(this.#queue, this.#queueStart, to);
    this.#queueStart = to;
  }

  #get(space: Bytewise): void {
    const key = this.#zipfian.next();
    this.#key.set(key);
    const value = space.get(this.#key.bytes);
    if (value !== undefined) this.#sameKey(space, key, value);
  }

  #scan(space: Bytewise): void {
    this.#key.set(this.#random.below(this.#sizes.keys));
    for (const [key, value] of space.range({ gte: this.#key.bytes, limit: RANGE_ENTRIES })) {
      this.#sameKey(space, Number(String.fromCharCode(...key)), value);
    }
  }

  #sameKey(space: Bytewise, key: number, value: Uint8Array): void {
    this.checked++;
    const found = numberAt(value, 0);
    if (found !== key) this.#complain(`${space.name}: key ${key} has the value of key ${found}`);
  }

  #check(key: number): void {
    this.checked++;
    this.#key.set(key);
    const value = this.#model.get(this.#key.bytes);
    const found = value === undefined ? 0 : numberAt(value, KEY_BYTES);
    if (found !== this.#expected[key]) {
      this.#complain(`model: key ${key} has ${found}, ${this.#expected[key]} was written`);
    }
  }

  /** A snapshot must show what was there when it was taken, however long it is held. */
  #lookAtSnapshot(): void {
    const now = performance.now();
    if (this.#held === undefined) {
      const key = this.#random.below(MODEL_KEYS);
      const number = this.#expected[key]!;
      this.#held = {
        snapshot: this.#db.snapshot(),
        key,
        number,
        until: now + this.#random.below(SNAPSHOT_MS),
      };
      return;
    }
    const { snapshot, key, number, until } = this.#held;
    this.#key.set(key);
    const value = snapshot.get(this.#model, this.#key.bytes);
    const found = value === undefined ? 0 : numberAt(value, KEY_BYTES);
    this.checked++;
    if (found !== number) this.#complain(`snapshot: key ${key} has ${found}, ${number} was there`);
    if (now < until) return;
    snapshot.close();
    this.#held = undefined;
  }

  #complain(what: string): void {
    if (this.wrong.length < 20) this.wrong.push(what);
  }
}

function numberAt(value: Uint8Array, at: number): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(at);
}
