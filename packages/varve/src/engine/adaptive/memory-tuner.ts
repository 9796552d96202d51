/**
 * Moves the memory budget and the flush sizes of the open database to where they save most: observes at most once a second,
 * asks the pure functions (memory-plan.ts, flush-size.ts), applies what they say, and tells it as an `adapt` event.
 *
 * It runs on no timer: it looks when memtables have taken or given back a MiB, when a flush or compaction was installed, and
 * when blocks came back to the cache. So nothing is asked for in an idle database, and nothing per operation.
 * The giver gives before the receiver gets: the cache empties pages at once, memtables are flushed first, if need be, and
 * the move is asked for anew at the next look. Owner's thread; never in the middle of a read (see `#returned`).
 */
import { flushBytesMost } from '../../options/compaction-settings.ts';
import type { MemoryBudget, Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import { flushBytes } from './flush-size.ts';
import { HALF_LIFE_MS, initialSplit, type MemoryMove, type MemorySplit, planMemory } from './memory-plan.ts';

const LOOK_MS = 1_000;
/** Blocks that came back between two looks at the clock. */
const RETURNS = 256;
/** What compactions before the last ones still count. */
const OLDER_WEIGHT = 1 / 2;
/** Memtables give memory away when they fill at most so much of what stays: no write is delayed by it. */
const FREE_SHARE = 3 / 4;

/** How fast a keyspace is written: bytes seen at the last look, and bytes a millisecond, smoothed but for the first look. */
interface WriteRate {
  bytes: number;
  perMs: number;
  isNew: boolean;
}

export class MemoryTuner implements MemoryBudget {
  readonly #core: Core;
  readonly #initial: MemorySplit;
  readonly #rates = new WeakMap<Tree, WriteRate>();
  #split: MemorySplit;
  #lookedAt: number;
  #allPerMs = 0;
  /** Of the last compactions of level 0: what they took down, and what they rewrote for it. */
  #merged = 0;
  #mergedSeen = 0;
  #rewritten = 0;
  #rewrittenSeen = 0;
  /** Decaying amounts, and the counters as they were at the last look. */
  #written = 0;
  #returned = 0;
  #returnedSeen = 0;
  #waitsSeen = 0;
  #returns = 0;

  constructor(core: Core) {
    const { memoryBytesMax, memtableBytesMax, cacheBytesMax } = core.options;
    this.#core = core;
    this.#initial = initialSplit(memoryBytesMax, memtableBytesMax, cacheBytesMax);
    this.#split = this.#initial;
    this.#lookedAt = core.clock.monotonic();
    // What recovery has put into memtables is not a rate.
    for (const tree of core.state.trees.values()) this.#rateOf(tree).bytes = tree.writtenBytes;
    core.cache.onReturn = () => this.#hasReturned();
  }

  get split(): MemorySplit {
    return this.#split;
  }

  /** Observes and decides, if the last time was long enough ago. */
  look(): void {
    const { clock, state } = this.#core;
    const now = clock.monotonic();
    const ms = now - this.#lookedAt;
    if (ms < LOOK_MS || state.isClosed) return;
    this.#lookedAt = now;
    this.#observe(ms);
    this.#measureRates(ms);
    this.#move();
  }

  /** The memtable of `tree` has reached its size: true when it is to grow on, because it was filled so fast. */
  mayGrow(tree: Tree): boolean {
    if (tree.settings.isMemtableGiven) return false;
    const rate = this.#rateOf(tree);
    const ms = Math.max(1, this.#core.clock.monotonic() - this.#lookedAt);
    const own = Math.max(rate.perMs, (tree.writtenBytes - rate.bytes) / ms);
    this.#resize(tree, own, Math.max(own, this.#allPerMs));
    return tree.activeBytes < tree.flushBytes;
  }

  /** In the middle of a read, whose block is not copied into the cache yet: look later. */
  #hasReturned(): void {
    if (++this.#returns % RETURNS !== 0) return;
    const { clock, scheduler } = this.#core;
    if (clock.monotonic() - this.#lookedAt < LOOK_MS) return;
    scheduler.soon(() => this.look());
  }

  #observe(ms: number): void {
    const { counters, cache } = this.#core;
    const kept = 2 ** (-ms / HALF_LIFE_MS);
    const merged = counters.merged - this.#mergedSeen;
    const older = merged > 0 ? OLDER_WEIGHT : 1;
    this.#merged = this.#merged * older + merged;
    this.#mergedSeen = counters.merged;
    this.#rewritten = this.#rewritten * older + counters.rewritten - this.#rewrittenSeen;
    this.#rewrittenSeen = counters.rewritten;
    this.#returned = this.#returned * kept + cache.counters.returnedBytes - this.#returnedSeen;
    this.#returnedSeen = cache.counters.returnedBytes;
  }

  #measureRates(ms: number): void {
    const kept = 2 ** (-ms / HALF_LIFE_MS);
    const trees = [...this.#core.state.trees.values()];
    this.#allPerMs = 0;
    this.#written *= kept;
    for (const tree of trees) {
      const rate = this.#rateOf(tree);
      const of = rate.isNew ? 0 : kept;
      const bytes = tree.writtenBytes - rate.bytes;
      rate.perMs = rate.perMs * of + (bytes / ms) * (1 - of);
      rate.bytes = tree.writtenBytes;
      this.#written += bytes;
      rate.isNew = false;
      this.#allPerMs += rate.perMs;
    }
    for (const tree of trees) {
      if (!tree.settings.isMemtableGiven) this.#resize(tree, this.#rateOf(tree).perMs, this.#allPerMs);
    }
  }

  #rateOf(tree: Tree): WriteRate {
    let rate = this.#rates.get(tree);
    if (rate === undefined) {
      rate = { bytes: 0, perMs: 0, isNew: true };
      this.#rates.set(tree, rate);
    }
    return rate;
  }

  #resize(tree: Tree, own: number, all: number): void {
    const { logBytesMax } = this.#core.options;
    const initial = tree.settings.memtableBytes;
    const from = tree.flushBytes;
    const most = flushBytesMost(tree.settings.compaction);
    const room = { memtables: this.#split.memtables, logBytesMax, initial, most };
    const to = flushBytes(from, { own, all }, room);
    if (to === from) return;
    tree.flushBytes = to;
    this.#core.state.sharing?.flushSizeChanged(tree);
    this.#core.events.emit('adapt', () => ({
      what: 'flush-size',
      keyspace: tree.name,
      reason: 'write-rate',
      from,
      to,
      bytesPerSecond: own * 1000,
    }));
  }

  #move(): void {
    const { pressure, tables, options } = this.#core;
    const waits = pressure.memoryWaits - this.#waitsSeen;
    this.#waitsSeen = pressure.memoryWaits;
    const seen = {
      rewrittenBytes: this.#merged > 0 ? (this.#written * this.#rewritten) / this.#merged : 0,
      returnedBytes: this.#returned,
      waits,
      indexBytes: tables.memoryBytes,
    };
    const move = planMemory(this.#split, seen, options.memoryLimits, this.#initial);
    if (move !== undefined && this.#hasRoomFor(move.split.memtables)) this.#apply(move);
  }

  /** Whether memtables fit what they would have; if not, makes room, so that they will. */
  #hasRoomFor(memtables: number): boolean {
    const { pool, background, options } = this.#core;
    if (memtables >= this.#split.memtables || pool.bytesUsed <= memtables * FREE_SHARE) return true;
    if (!options.readOnly) background.makeRoom(memtables);
    return false;
  }

  #apply({ split, reason, gains }: MemoryMove): void {
    const { cache, rows, events, pressure, state } = this.#core;
    const from = this.#split;
    this.#split = split;
    pressure.limitBytes = split.memtables;
    state.sharing?.memtableLimitChanged(split.memtables);
    if (split.cache !== from.cache) cache.setBytesMax(Math.max(0, split.cache - rows.bytesMax));
    events.emit('adapt', () => ({ what: 'memory', reason, from, to: split, gains }));
  }
}
