/**
 * A thread of a shared database as far as locks of transactions go: its book of them, kept by the engine's own code
 * (packages/varve/src/transaction/shared-locks.ts), the write lock, and the records in shared memory
 * (packages/varve/src/engine/sharing/lock-records.ts). What is certain about each lock is noted beside them, in `facts`.
 */
import {
  type Lock,
  LOCK_BLOCKS,
  LOCK_CHANGES,
  LOCK_CLASS,
  LOCK_CLASSES,
  LOCK_NEXT,
  LOCK_STATE,
  LOCK_UNIT_WORDS,
  LockBook,
  type LockRecord,
  LockRecords,
  LOCKS_FREE,
  LOCKS_HIGH,
  LOCKS_IN_USE,
  repairLocks,
  SharedLock,
  SharedLocks,
  WRITE_LOCK,
} from 'varve/internals';
import { type Control, join, makeControl, must } from './control.check.ts';
import type { Labels } from './instance.ts';

export interface LockShared extends Control {
  readonly locks: SharedArrayBuffer;
  /** A word for each of `wishes`: who has it by which use of a slot, times 4, and what is certain about it. */
  readonly facts: SharedArrayBuffer;
}

/** What is certain. `UNSURE` while somebody changes it, and for good when he dies meanwhile. */
export const GONE = 0;
export const HELD = 1;
export const WAITS = 2;
const UNSURE = 3;

interface Wish {
  readonly id: number;
  readonly keyspaceId: number;
  readonly from: string;
  readonly to?: string;
  readonly prepared?: string;
}

/** What threads lock: each once, and by a transaction of its own. */
const wishes: readonly Wish[] = [
  { id: 7, keyspaceId: 1, from: 'a' },
  { id: 2 ** 32 + 5, keyspaceId: 2, from: 'b', to: 'c', prepared: 'p' },
  { id: 9, keyspaceId: 3, from: 'd' },
  // Takes two units, and lies with its bytes where the state of the second would be.
  { id: 8, keyspaceId: 4, from: 'abcdefghijklmnopqrstuvwxyz01' },
  { id: 6, keyspaceId: 1, from: 'a' },
];
export const KEY = 0;
export const RANGE = 1;
export const OTHER = 2;
export const LONG = 3;
/** The same as `KEY`, for somebody else. */
export const RIVAL = 4;

/** Memory for records of so many units. `changes` there were before. */
export function makeLocks(label: Labels, units: number, changes = 0): LockShared {
  const locks = new SharedArrayBuffer(4 * (LOCK_BLOCKS + units * LOCK_UNIT_WORDS));
  const facts = new SharedArrayBuffer(4 * wishes.length);
  const names: Record<number, string> = {
    [LOCKS_IN_USE]: 'in use',
    [LOCK_CHANGES]: 'changes',
    [LOCKS_HIGH]: 'high',
    [LOCKS_FREE]: 'free 0',
    [LOCKS_FREE + 1]: 'free 1',
  };
  for (let unit = 0; unit < units; unit++) {
    const at = LOCK_BLOCKS + unit * LOCK_UNIT_WORDS;
    names[at + LOCK_CLASS] = `unit ${unit}.class`;
    names[at + LOCK_STATE] = `unit ${unit}.state`;
    names[at + LOCK_NEXT] = `unit ${unit}.next`;
  }
  label(locks, 'locks', names);
  label(facts, 'fact');
  new Int32Array(locks)[LOCK_CHANGES] = changes;
  return { control: makeControl(label), locks, facts };
}

export class Locker {
  readonly book = new LockBook();
  readonly records: LockRecords;
  /** Requests of this thread that others have granted. */
  readonly granted: Lock[] = [];
  readonly #shared: SharedLocks;
  readonly #writeLock: SharedLock;
  readonly #memory: SharedArrayBuffer;
  readonly #facts: Int32Array;

  /** To be called where a thread is prepared. */
  constructor(shared: LockShared, thread: number) {
    const { words, slot } = join(shared, thread);
    this.records = new LockRecords(words, shared.locks, slot);
    this.#shared = new SharedLocks(this.records, this.book, (lock) => this.granted.push(lock));
    this.#writeLock = new SharedLock(words, WRITE_LOCK, slot);
    this.#memory = shared.locks;
    this.#facts = new Int32Array(shared.facts);
  }

  /** Has somebody died in the middle of a change, or was all begun anew? */
  get isRebuilt(): boolean {
    return this.#shared.isRebuilt;
  }

  follow(): void {
    this.#shared.follow();
  }

  /** As LockTable: one step under the write lock, which begins with what others have done. */
  step(step: () => void = () => undefined): void {
    this.exclusive(() => {
      this.follow();
      this.#checkBook();
      step();
    });
  }

  exclusive(step: () => void): void {
    // By single tries, so that the search sees between them.
    let acquired = this.#writeLock.tryAcquire(0);
    while (acquired === 'busy') acquired = this.#writeLock.tryInherit();
    if (acquired === 'inherited') repairLocks(this.#memory);
    step();
    this.#writeLock.release();
  }

  hold(wish: number): Lock {
    const lock = lockOf(wish, false);
    this.#note(lock, UNSURE);
    this.#shared.hold(lock);
    this.#note(lock, HELD);
    return lock;
  }

  wait(wish: number): Lock {
    const lock = lockOf(wish, true);
    this.#note(lock, UNSURE);
    this.#shared.wait(lock);
    this.#note(lock, WAITS);
    return lock;
  }

  /** Grants what nobody is in the way of. */
  serve(): void {
    for (const lock of this.book.queue) {
      if (this.book.blockersOf(lock).length > 0) continue;
      this.#note(lock, UNSURE);
      this.book.unwait(lock);
      this.book.hold(lock);
      this.#shared.granted(lock);
      this.#note(lock, HELD);
    }
  }

  remove(lock: Lock): void {
    this.#note(lock, UNSURE);
    this.book.unwait(lock);
    this.book.drop(lock);
    this.#shared.remove(lock);
    this.#note(lock, GONE);
  }

  /** Removes what threads had that are gone; true when there was any. */
  dropGone(): boolean {
    const gone = this.#shared.of((use) => this.records.isGone(use));
    for (const lock of gone) this.remove(lock);
    return gone.length > 0;
  }

  /** A plain write: is refused what is locked, and nothing else. */
  write(): void {
    this.exclusive(() => {
      const { isUsed } = this.records;
      if (isUsed) this.follow();
      const facts = wishes.map((_, wish) => Atomics.load(this.#facts, wish) & 3);
      wishes.forEach(({ from }, wish) => {
        const ofKey = facts.filter((__, other) => wishes[other]!.from === from);
        const other = isUsed ? this.book.inTheWay(undefined, lockOf(wish, false)) : undefined;
        const isLocked = ofKey.includes(HELD);
        must(!isLocked || other !== undefined, () => `a write went past the lock on '${from}'`);
        const isFree = ofKey.every((fact) => fact === GONE || fact === WAITS);
        must(!isFree || other === undefined, () => `a write was refused, and nobody has locked '${from}'`);
      });
    });
  }

  /** The book says of all records what they say. */
  #checkBook(): void {
    const { book, records } = this;
    const there = new Map<number, LockRecord>();
    records.each((unit) => there.set(unit, records.read(unit)));
    const known = [...book.held(), ...book.queue];
    for (const lock of known) {
      const record = there.get(lock.unit);
      must(record !== undefined, () => `a book has unit ${lock.unit}, which is free`);
      const isWaiting = book.queue.includes(lock);
      const { owner, stamp } = lock;
      const use = owner.use ?? records.use;
      const says = textOf({
        ...lock,
        transaction: owner.id,
        prepared: owner.prepared,
        isWaiting,
        stamp,
        use,
      });
      const text = textOf(record!);
      must(says === text, () => `a book says ${says} of unit ${lock.unit}, and there is ${text}`);
    }
    must(known.length === there.size, () => `a book has ${known.length} of ${there.size} records`);
  }

  #note({ owner }: Lock, fact: number): void {
    const use = owner.use ?? this.records.use;
    Atomics.store(this.#facts, wishOf(owner.id), fact === GONE ? GONE : (use << 2) | fact);
  }
}

/**
 * Of every state: blocks lie one behind the other, and no more of them are taken than are counted. Of those in which nobody
 * has the write lock: the count is right, each free block can be found, once, and records are what somebody wrote.
 */
export function checkLocks({ control, locks, facts }: LockShared): void {
  const words = new Int32Array(locks);
  const [free, taken] = blocksOf(words);
  const inUse = words[LOCKS_IN_USE]!;
  must(inUse >= taken.length, () => `${taken.length} records, and ${inUse} are counted`);
  const controlWords = new Int32Array(control);
  if (controlWords[WRITE_LOCK] !== 0) return;
  must(
    inUse === taken.length,
    () => `${taken.length} records, and ${inUse} are counted by whom nobody corrects`,
  );
  const listed: number[] = [];
  for (let size = 0; size < LOCK_CLASSES; size++) {
    for (let next = words[LOCKS_FREE + size]!; next !== 0; next = wordOf(words, next - 1, LOCK_NEXT)) {
      const unit = next - 1;
      must(
        free.includes(unit) && !listed.includes(unit),
        () => `unit ${unit} is listed, and taken or listed twice`,
      );
      must(
        wordOf(words, unit, LOCK_CLASS) === size + 1,
        () => `unit ${unit} is listed with blocks of another size`,
      );
      listed.push(unit);
    }
  }
  must(listed.length === free.length, () => `of ${free.length} free blocks ${listed.length} can be found`);
  checkRecords(new LockRecords(controlWords, locks, 0), taken, new Int32Array(facts));
}

function checkRecords(records: LockRecords, taken: readonly number[], facts: Int32Array): void {
  const there = taken.map((unit) => records.read(unit));
  const stamps = new Set(there.map(({ stamp }) => stamp));
  must(stamps.size === there.length, () => 'two records have the same stamp');
  for (const record of there) {
    const wish = wishOf(record.transaction);
    const { owner, keyspaceId, from, to } = lockOf(wish, false);
    const use = facts[wish]! >> 2;
    const said = textOf({ ...record, keyspaceId, from, to, prepared: owner.prepared, use });
    must(textOf(record) === said, () => `a record is ${textOf(record)}, and what was written is ${said}`);
  }
  wishes.forEach((_, wish) => {
    const fact = facts[wish]! & 3;
    if (fact === UNSURE) return;
    const found = there.filter(({ transaction }) => wishOf(transaction) === wish);
    const states = found.map(({ isWaiting }) => (isWaiting ? WAITS : HELD));
    const wanted = fact === GONE ? [] : [fact];
    must(
      String(states) === String(wanted),
      () => `of ${nameOf(wish)} there is [${states}], and not [${wanted}]`,
    );
  });
}

/** Free and taken blocks. */
function blocksOf(words: Int32Array): readonly [number[], number[]] {
  const [free, taken]: [number[], number[]] = [[], []];
  const high = words[LOCKS_HIGH]!;
  let unit = 0;
  while (unit < high) {
    const size = wordOf(words, unit, LOCK_CLASS) - 1;
    must(size >= 0 && size < LOCK_CLASSES, () => `unit ${unit} is a block of no size`);
    (wordOf(words, unit, LOCK_STATE) === 0 ? free : taken).push(unit);
    unit += 1 << size;
  }
  must(unit === high, () => `blocks end at ${unit}, and not at ${high}`);
  return [free, taken];
}

function wordOf(words: Int32Array, unit: number, word: number): number {
  return words[LOCK_BLOCKS + unit * LOCK_UNIT_WORDS + word]!;
}

function wishOf(transaction: number): number {
  const wish = wishes.findIndex(({ id }) => id === transaction);
  must(wish >= 0, () => `there is no transaction ${transaction}`);
  return wish;
}

function lockOf(wish: number, isRequest: boolean): Lock {
  const { id, keyspaceId, from, to, prepared } = wishes[wish]!;
  const encoder = new TextEncoder();
  return {
    owner: prepared === undefined ? { id } : { id, prepared },
    keyspaceId,
    from: encoder.encode(from),
    to: to === undefined ? undefined : encoder.encode(to),
    unit: -1,
    stamp: 0,
    // Whoever waits is to be told.
    turn: isRequest ? ({} as never) : undefined,
    timer: undefined,
  };
}

function textOf({ keyspaceId, from, to, transaction, prepared, isWaiting, stamp, use }: LockRecord): string {
  const span = to === undefined ? decode(from) : `${decode(from)}-${decode(to)}`;
  const state = isWaiting ? 'waits' : 'held';
  return `${keyspaceId}:${span} ${state} by ${transaction} (${prepared ?? 'not prepared'}) of ${use}, ${stamp}`;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function nameOf(wish: number): string {
  return `'${wishes[wish]!.from}'`;
}
