/**
 * The one way in: every write is a batch, and every batch goes through `commit`.
 *
 * The naive order would be: take a sequence, write the log record with a system call, insert, answer. The system call
 * (2.3 us) would cost three times the rest. So the record goes into the log buffer, the batch into the memtables, and the
 * sequence is published; the buffer follows at the end of the turn (Durability). What must hold:
 *
 *   1. Everything that can refuse the write (open, poison, size, pressure, memory) is asked before the log append.
 *   2. The log append comes before the first memtable insert: nothing is visible that recovery could not replay.
 *   3. `visible` rises after the last insert: nobody sees half a batch.
 *   4. A batch never spans two memtables: room is reserved first, rotation happens after.
 * In a shared database 2 and 3 happen under the write lock, after all waiting, and both are published as they happen: of a
 * thread that dies in between the record is applied by the next one (sharing/redo.ts).
 */
import { busy, invalid, type VarveError } from '../base/errors.ts';
import { expiryOf, stampExpiry } from '../base/expiry.ts';
import { KIND_DELETE, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { BATCH_OVERHEAD_MAX, BatchBuffer, BatchReader } from '../record/batch.ts';
import { RECORD_BATCH, RECORD_COMMIT, RECORD_INGESTION } from '../record/log-record.ts';
import type { Memtable } from '../memtable/memtable.ts';
import type { CommitEnv, WriteGuard } from './commit-env.ts';
import { joinedBatch, mayJoin } from './merging/join-batch.ts';
import type { EngineState } from './state.ts';
import type { Tree } from './tree.ts';

export class CommitPipeline {
  readonly #env: CommitEnv;
  readonly #reader = new BatchReader();
  /** For an operation that is too large for the log's buffer. */
  readonly #scratch = new BatchBuffer();
  readonly #touched: Tree[] = [];
  #lastTime = 0;
  /** Refuses writes to what others have locked; undefined while nothing is, and no other thread could. */
  guard: WriteGuard | undefined;
  /** Longest wait for the write lock of a step that can be refused, in ms. */
  readonly lockMsMax: number;
  /** Sequences of what this thread has written since somebody began to follow. */
  #followed: number[] | undefined;

  constructor(env: CommitEnv) {
    this.#env = env;
    this.lockMsMax = env.lockMsMax;
  }

  /** Time, by the stored clock, of the newest batch of this thread. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /** Runs `step`, which gets the sequences that it writes on this thread, also what it calls; `isApart`: those that it is called by do not. */
  following<T>(step: (own: readonly number[]) => T, isApart = false): T {
    const before = this.#followed;
    const own: number[] = [];
    this.#followed = own;
    try {
      return step(own);
    } finally {
      this.#followed = before;
      if (!isApart) before?.push(...own);
    }
  }

  /** As `commit`, if `validate` does not throw: nothing is written between its call and the batch, by no thread and no listener. */
  commitIf(batch: BatchBuffer, validate: () => void): number {
    this.checkWritable(batch.length);
    return this.#admitted(batch, undefined, validate);
  }

  /**
   * Commits the batch of a prepared transaction, whose locks are its own: as `commitIf`, in a record that begins with
   * `decision` (record/prepared.ts). An empty batch has its record too.
   */
  commitPrepared(batch: BatchBuffer, decision: Uint8Array, validate: () => void): number {
    this.checkWritable(batch.length);
    if (batch.count === 0) return this.note(RECORD_COMMIT, decision, validate);
    return this.#admitted(batch, undefined, validate, decision);
  }

  /**
   * Writes a record that changes nothing that is seen, and has a sequence. Whoever has something to check first does it in
   * `validate`, after all waiting, with the write lock where threads share the database.
   */
  note(kind: number, body: Uint8Array, validate?: () => void): number {
    const { state, durability } = this.#env;
    this.checkMutable();
    this.admit(body.length);
    return state.exclusive(() => {
      this.checkMutable();
      validate?.();
      const sequence = state.visible + 1;
      durability!.append(kind, sequence, this.#time(), body, 0, body.length);
      state.visible = sequence;
      this.#followed?.push(sequence);
      this.#env.committed([]);
      return sequence;
    });
  }

  /** Writes the batch; returns its sequence. An empty batch writes nothing and returns the current sequence. */
  commit(batch: BatchBuffer): number {
    this.checkWritable(batch.length);
    return this.#admitted(batch);
  }

  /**
   * `commit` of a batch of one operation, which is encoded once, in the log's own buffer, and applied from there; not
   * through `scratch` as a large one is. For a range delete key and value are its ends; a value that expires begins with its
   * time to live (base/expiry.ts), for which the expiry is put here.
   */
  commitOne(tree: Tree, kind: number, key: Uint8Array, value: Uint8Array): number {
    const { log, batchBytesMax, state } = this.#env;
    const bytes = key.length + value.length;
    if (
      log === undefined ||
      bytes > log.operationBytesMax ||
      bytes + BATCH_OVERHEAD_MAX > batchBytesMax ||
      state.trees.get(tree.id) !== tree
    ) {
      const scratch = this.#scratch;
      scratch.clear();
      scratch.add(kind, tree.id, key, value);
      return this.commit(scratch);
    }
    this.checkMutable();
    this.admit(bytes);
    const { access } = state;
    if (access === undefined) {
      if (this.guard !== undefined) this.guard.one(tree.id, kind, key, value);
      return this.#writeOne(tree, kind, key, value, bytes);
    }
    access.lock(this.lockMsMax);
    try {
      this.checkMutable();
      if (tree.isDropped) throw dropped(tree.id);
      if (this.guard !== undefined) this.guard.one(tree.id, kind, key, value);
      return this.#writeOne(tree, kind, key, value, bytes);
    } finally {
      access.unlock();
    }
  }

  #writeOne(tree: Tree, kind: number, key: Uint8Array, value: Uint8Array, bytes: number): number {
    const { state, durability, counters } = this.#env;
    // ATOMIC from here to publish, as in #apply.
    const memtable = tree.writable();
    if (!memtable.reserve(bytes, 1)) throw noMemory();
    const sequence = state.visible + 1;
    const time = this.#time();
    if (kind === KIND_PUT_EXPIRY) {
      stampExpiry(value, 0, expiryOf(value, 0), time);
      state.hasExpiring = true;
    }
    const operation = durability!.appendOperation(sequence, time, kind, tree.id, key, value);
    add(tree, memtable, operation, sequence);
    state.visible = sequence;
    this.#followed?.push(sequence);
    counters.user += operation.valueEnd - operation.start;
    this.#touchOnly(tree);
    this.#env.committed(this.#touched);
    return sequence;
  }

  /** A batch of the outside log (decision 14): the same way, without a log of our own. */
  commitExternal(batch: BatchBuffer, position: number): void {
    this.#check(batch.length);
    if (batch.count === 0) this.#env.external.advance(position);
    else this.#admitted(batch, position);
  }

  /**
   * Gives tables that are on disk the next sequence. `record` makes the body of their record in the log, `show` puts them into
   * the views; what is there already at their keys is in older tables. Nothing has happened when it throws, but for a log that
   * failed for good. With the write lock.
   */
  commitTables(record: (sequence: number) => Uint8Array, show: (sequence: number) => void): number {
    const { state, durability } = this.#env;
    this.checkMutable();
    // ATOMIC from here to publish, as in #apply.
    const sequence = state.visible + 1;
    const body = record(sequence);
    durability!.append(RECORD_INGESTION, sequence, this.#time(), body, 0, body.length);
    show(sequence);
    state.visible = sequence;
    this.#followed?.push(sequence);
    this.#env.committed([]);
    return sequence;
  }

  /** With `validate` in place of the guard, which whoever validates has asked. */
  #admitted(given: BatchBuffer, position?: number, validate?: () => void, decision?: Uint8Array): number {
    const { state } = this.#env;
    if (given.count === 0) return state.visible;
    const batch = mayJoin(given) ? joinedBatch(given, state.trees) : given;
    this.admit(batch.length);
    const { access } = state;
    if (access === undefined) {
      this.#validate(batch, validate);
      return this.#apply(batch, position, decision);
    }
    access.lock(this.lockMsMax);
    try {
      this.checkMutable();
      this.#validate(batch, validate);
      return this.#apply(batch, position, decision);
    } finally {
      access.unlock();
    }
  }

  #validate(batch: BatchBuffer, validate: (() => void) | undefined): void {
    if (validate !== undefined) validate();
    else if (this.guard !== undefined) this.guard.batch(batch);
  }

  /** Waits for room, or refuses the write. Whoever keeps other threads from writing has waited before. */
  admit(bytes: number): void {
    const { runner, durability, pressure, poison, state } = this.#env;
    if (state.access?.isLocked === true) return;
    state.sharing?.serve();
    runner.poll();
    durability?.admit();
    pressure.admit(bytes);
    // Jobs that ended meanwhile may have raised it.
    poison.check();
  }

  /** Stored time of a batch that is written now: never before that of an earlier one, of any thread. */
  #time(): number {
    this.#lastTime = this.#env.state.time.now();
    return this.#lastTime;
  }

  /** Refuses what changes anything: closed, read-only, poisoned. */
  checkMutable(): void {
    const { state, poison, isReadOnly } = this.#env;
    state.checkOpen();
    if (isReadOnly) throw invalid('READ_ONLY', 'the database was opened read-only', { path: state.path });
    poison.check();
  }

  /** What refuses a batch for good, before any waiting. */
  checkWritable(bytes: number): void {
    this.#env.state.checkOpen();
    if (this.#env.log === undefined && !this.#env.isReadOnly) {
      throw invalid('LOG_EXTERNAL', "with log: 'external' batches come through applyExternal", {});
    }
    this.#check(bytes);
  }

  /** Is it more than the log takes at once? */
  isLarge({ length }: BatchBuffer): boolean {
    return length > this.#env.batchBytesMax;
  }

  /** @param instead what can be done */
  tooLarge(bytes: number, instead = ''): VarveError {
    const { batchBytesMax: max } = this.#env;
    const message = `a batch of ${bytes} bytes is over batchBytesMax (${max})${instead}`;
    return invalid('BATCH_TOO_LARGE', message, { got: bytes, max });
  }

  #check(bytes: number): void {
    this.checkMutable();
    if (bytes > this.#env.batchBytesMax) throw this.tooLarge(bytes);
  }

  // ATOMIC from here to publish: nothing else runs on this thread, and no other thread writes, or it waits for the lock.
  #apply(batch: BatchBuffer, position: number | undefined, decision?: Uint8Array): number {
    const { state, durability, external, counters } = this.#env;
    if (batch.count === 1) this.#reserveOne(batch);
    else this.#reserve(batch);
    const sequence = state.visible + 1;
    const time = this.#time();
    if (batch.stamp(time)) state.hasExpiring = true;
    if (position !== undefined) external.advance(position);
    if (decision === undefined) {
      durability?.append(RECORD_BATCH, sequence, time, batch.bytes, 0, batch.length);
    } else {
      const body = joined(decision, batch.bytes, batch.length);
      durability?.append(RECORD_COMMIT, sequence, time, body, 0, body.length);
    }
    if (batch.count === 1) insert(this.#touched[0]!, batch.last, sequence);
    else applyBatch(state, this.#reader, batch.bytes, 0, batch.length, sequence);
    state.visible = sequence;
    this.#followed?.push(sequence);
    counters.user += batch.length;
    this.#env.committed(this.#touched);
    return sequence;
  }

  /** Makes sure that no insert of this batch can fail. */
  #reserve(batch: BatchBuffer): void {
    const { state } = this.#env;
    const reader = this.#reader;
    const touched = this.#touched;
    let trees = 0;
    reader.reset(batch.bytes, 0, batch.length, undefined);
    while (reader.next()) {
      const tree = state.trees.get(reader.keyspaceId);
      if (tree === undefined) {
        this.#clearTally();
        throw dropped(reader.keyspaceId);
      }
      if (tree.pendingOps === 0) touched[trees++] = tree;
      tree.pendingOps++;
      tree.pendingBytes += reader.keyEnd - reader.keyStart + reader.valueEnd - reader.valueStart;
    }
    // Not cut to nothing for each batch: that would give its memory back, and a single write would take it anew.
    if (touched.length !== trees) touched.length = trees;
    let enough = true;
    for (const tree of touched) {
      // The memtable adds what its entries take beside key and value.
      enough = enough && tree.writable().reserve(tree.pendingBytes, tree.pendingOps);
    }
    this.#clearTally();
    if (!enough) throw noMemory();
  }

  /** The same for a batch of one operation, whose buffer knows where it lies. */
  #reserveOne(batch: BatchBuffer): void {
    const { keyspaceId, keyStart, keyEnd, valueStart, valueEnd } = batch.last;
    const tree = this.#env.state.trees.get(keyspaceId);
    if (tree === undefined) throw dropped(keyspaceId);
    this.#touchOnly(tree);
    const bytes = keyEnd - keyStart + valueEnd - valueStart;
    if (!tree.writable().reserve(bytes, 1)) throw noMemory();
  }

  /** One tree alone is written to. */
  #touchOnly(tree: Tree): void {
    const touched = this.#touched;
    touched[0] = tree;
    if (touched.length !== 1) touched.length = 1;
  }

  #clearTally(): void {
    for (const tree of this.#touched) {
      tree.pendingOps = 0;
      tree.pendingBytes = 0;
    }
  }
}

/** Inserts a batch into the memtables of its keyspaces; also how recovery replays. Dropped keyspaces are passed over. */
export function applyBatch(
  state: EngineState,
  reader: BatchReader,
  bytes: Uint8Array,
  start: number,
  end: number,
  sequence: number,
): void {
  reader.reset(bytes, start, end, undefined);
  while (reader.next()) {
    const tree = state.trees.get(reader.keyspaceId);
    if (tree === undefined || sequence <= tree.view.version.flushedSequence) continue;
    if (reader.kind === KIND_PUT_EXPIRY) state.hasExpiring = true;
    insert(tree, reader, sequence);
  }
}

/** An operation where it lies in a batch: the one that a reader stands at, or the only one of a buffer. */
interface Operation {
  readonly bytes: Uint8Array;
  readonly kind: number;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

export function insert(tree: Tree, operation: Operation, sequence: number): void {
  add(tree, tree.writable(), operation, sequence);
}

function add(tree: Tree, memtable: Memtable, operation: Operation, sequence: number): void {
  const { kind, bytes, keyStart, keyEnd, valueStart, valueEnd } = operation;
  const { dead } = tree;
  if (dead !== undefined && !dead.isEmpty && kind !== KIND_DELETE && kind !== KIND_RANGE_DELETE) {
    dead.wrote(bytes, keyStart, keyEnd);
  }
  memtable.add(sequence, kind, bytes, keyStart, keyEnd, bytes, valueStart, valueEnd);
}

function joined(head: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(head.length + length);
  whole.set(head);
  whole.set(bytes.subarray(0, length), head.length);
  return whole;
}

function dropped(keyspaceId: number): VarveError {
  return invalid('KEYSPACE_DROPPED', 'the batch writes to a keyspace that was dropped', { keyspaceId });
}

function noMemory(): VarveError {
  return busy('BUSY', 'no memtable memory is left for this batch', { reason: 'memtable-memory' });
}
