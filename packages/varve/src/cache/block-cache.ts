/**
 * The block cache: verified, decompressed blocks of tables by (file number, offset), in one piece of shared memory of a
 * fixed size. A point read searches a block in place in `memory`; nothing here allocates after the constructor.
 *
 * Memory is cut into pages, and a page into slots of one size (powers of two from 4 KiB to a page, slot-pages.ts). A slot
 * begins at a multiple of 4 KiB, so its offset divided by that is its index in all tables. When a size class is full, the
 * replacement policy (replacement.ts) names the block that leaves. A class that keeps evicting takes over, page by page,
 * what another class has but does not use.
 *
 * One thread has the cache to itself, or several share it (`share`, `attach`): lookups take no lock on any thread, changes
 * take the one of CacheSharing and are left out while somebody else has it.
 *
 *   memory  writer                     readers     published by               content
 *   blocks  lock holder, before LENGTH any thread  the LENGTH of the slot     u8: what `memory` shows
 *   slots   lock holder; HITS: any     any thread  Atomics.store of LENGTH    4 u32 a slot, so that a hit touches one line:
 *                                                                             FILE, OFFSET, LENGTH (0: no block), HITS
 *   index   lock holder                any thread  Atomics.store of a place   block-index.ts
 *   the rest: lock holder only (slot-pages.ts, slot-lists.ts, ghosts.ts)
 *
 * Why a lookup beside other threads is never wrong: a slot is filled before its LENGTH is stored, and loses its LENGTH before
 * it is retired, and is filled again only when every operation that ran then has ended. So whoever once sees LENGTH in an
 * operation has that block, unchanged, until the operation's end; it may miss one that is there. HITS may lose a count.
 * On one thread alone, a slot's bytes are good until the next `insert` or `drop`: copy, or search before anything else.
 */
import { assert } from '../base/assert.ts';
import { BlockIndex } from './block-index.ts';
import { type CacheCounters, noCounts } from './counters.ts';
import {
  FILE,
  HITS,
  HITS_MAX,
  LENGTH,
  type MakeReplacement,
  OFFSET,
  type Replacement,
  SLOT_WORDS,
} from './replacement.ts';
import { s3Fifo } from './s3-fifo.ts';
import { type CacheHandle, type CacheSharing, makeParts, reuseParts, type TakeMemory } from './sharing.ts';
import { SLOT_BYTES_MIN, SlotPages } from './slot-pages.ts';
import { workingSet } from './working-set.ts';

/** A constant of this module's own is compiled into the lookups. */
const SLOT_BYTES = SLOT_BYTES_MIN;
/** Tries to get the lock: of a block that could as well not be cached, and of what should be done. */
const TRIES = 32;
const TRIES_PATIENT = 10_000;
/** An insert on a shared cache does at most so much to have free slots later. */
const STEPS_AHEAD_MAX = 8;
export class BlockCache {
  readonly memory: Uint8Array;
  readonly counters: CacheCounters;
  readonly #handle: CacheHandle;
  readonly #slots: Uint32Array;
  readonly #index: BlockIndex;
  /** What the last insert put in had been here not long ago. */
  #hasReturned = false;
  readonly #pages: SlotPages;
  readonly #replacement: Replacement;
  /** Files to forget as soon as the lock is free. */
  #dropped: number[] = [];

  /**
   * @param bytes the budget, all of it for blocks; the tables beside it take 2 % more. 0 caches nothing.
   * @param attached the memory of a cache that another thread made
   * @throws busy `OUT_OF_MEMORY` when the system does not give that much address space
   */
  constructor(
    bytes: number,
    counters: CacheCounters = noCounts(),
    makeReplacement: MakeReplacement = s3Fifo,
    attached?: readonly SharedArrayBuffer[],
  ) {
    const parts: SharedArrayBuffer[] = [];
    const take: TakeMemory = attached === undefined ? makeParts(parts) : reuseParts(attached);
    this.#handle = { bytes, parts: attached ?? parts };
    this.counters = counters;
    const pages = new SlotPages(bytes, take);
    this.#pages = pages;
    this.memory = new Uint8Array(take(pages.pages * pages.pageBytes));
    this.#slots = new Uint32Array(take(pages.slots * SLOT_WORDS * 4));
    this.#index = new BlockIndex(this.#slots, pages.slots, take);
    this.#replacement = makeReplacement(this.#slots, pages.slots, pages.classes, take);
    if (attached === undefined) pages.begin();
  }

  /** The cache of another thread, used in place. From then on both threads need their `sharing`. */
  static attach(
    handle: CacheHandle,
    sharing: CacheSharing,
    counters: CacheCounters = noCounts(),
  ): BlockCache {
    const cache = new BlockCache(handle.bytes, counters, s3Fifo, handle.parts);
    cache.share(sharing);
    return cache;
  }

  /** For `attach` in another thread; structured clone keeps the memory shared. */
  handle(): CacheHandle {
    return this.#handle;
  }

  /** Other threads use the cache too, from now on. Undefined: no longer, and none of them reads in it any more. */
  share(sharing: CacheSharing | undefined): void {
    this.#pages.share(sharing);
    this.#index.isShared = sharing !== undefined;
  }

  /** Called by `insert`, after each block that this thread put in. */
  onInsert: (() => void) | undefined;
  /** The same, for blocks that came back soon. It must not change the cache: the block is not copied yet. */
  onReturn: (() => void) | undefined;

  /** Bytes of the slots that hold a block. */
  get bytesUsed(): number {
    return this.#pages.slotBytesUsed;
  }

  /** What the blocks may take from now on, in whole pages. */
  get bytesMax(): number {
    return this.#pages.pagesMax * this.#pages.pageBytes;
  }

  /**
   * Changes the budget, to at most what the cache was made with. With a smaller one, pages are emptied at once (or by the
   * next insert, when another thread has the lock), those that were used least of late first; their slots are used no more
   * until it grows again. The system does not get them back: shared memory is given back only as a whole, so a page costs
   * memory from its first use on.
   */
  setBytesMax(bytes: number): void {
    assert(bytes >= 0, 'a budget is a number of bytes');
    this.#pages.pagesMax = Math.floor(bytes / this.#pages.pageBytes);
    this.#changed();
  }

  /** Offset in `memory` of the block at (file, offset), now marked as used; -1 when it is not here. */
  lookup(file: number, offset: number): number {
    const slot = this.#index.find(file, offset);
    if (slot < 0) {
      this.counters.misses++;
      return -1;
    }
    return this.#hit(slot, 0);
  }

  /** The same for a block that an earlier lookup found at `near`: one line of memory less when it is still there. */
  lookupNear(near: number, file: number, offset: number): number {
    const slots = this.#slots;
    const slot = near / SLOT_BYTES;
    const at = slot * SLOT_WORDS;
    const length = slots[at + LENGTH]!;
    // Always 0, but neither compiler nor processor know. All that is read below is read through it, so after LENGTH.
    const after = length >>> 31;
    const isThere =
      slots[at + OFFSET + after] === offset && slots[at + FILE + after] === file && length !== 0;
    return isThere ? this.#hit(slot, after) : this.lookup(file, offset);
  }

  /** Is the block at (file, offset) here? Asking is no use of it. */
  has(file: number, offset: number): boolean {
    return this.#index.find(file, offset) >= 0;
  }

  /** Reads the metadata of the slot at `near`, so that the processor has it when `lookupNear` asks. */
  touch(near: number): number {
    return this.#slots[(near / SLOT_BYTES) * SLOT_WORDS]!;
  }

  #hit(slot: number, after: number): number {
    this.counters.hits++;
    const at = slot * SLOT_WORDS + HITS;
    const hits = this.#slots[at]!;
    if (hits < HITS_MAX) this.#slots[at] = hits + 1;
    return slot * SLOT_BYTES + after;
  }

  /**
   * Length of the block at an offset that `lookup` or `insert` gave. 0 on a shared cache: the block left meanwhile; its
   * content can still be read in this operation, but how long it is was forgotten.
   */
  lengthAt(slotOffset: number): number {
    return this.#slots[(slotOffset / SLOT_BYTES) * SLOT_WORDS + LENGTH]!;
  }

  /**
   * Copies a block of `length` bytes in, from `start` of `bytes`, and gives its offset in `memory`. -1 when it is not cached:
   * over the page size, no budget, or on a shared cache no room just now. One that is there already, of the same length,
   * stays: blocks never change. Of another length: it is replaced.
   */
  insert(file: number, offset: number, bytes: Uint8Array, start: number, length: number): number {
    assert(
      length > 0 && file <= 0xffffffff && offset <= 0xffffffff,
      'the cache takes blocks of u32 keys that hold something',
    );
    const pages = this.#pages;
    if (length > pages.pageBytes || (pages.pagesMax === 0 && pages.pagesUsed === 0)) return -1;
    if (!this.#lock(TRIES)) return -1;
    let slot = -1;
    this.#hasReturned = false;
    let isDone = false;
    try {
      this.#catchUp();
      slot = this.#insert(file, offset, bytes, start, length);
      isDone = true;
    } finally {
      this.#unlock(isDone);
    }
    if (slot < 0) return -1;
    this.onInsert?.();
    if (this.#hasReturned) {
      this.counters.returnedBytes += SLOT_BYTES << pages.classFor(length);
      this.onReturn?.();
    }
    return slot * SLOT_BYTES;
  }

  #insert(file: number, offset: number, bytes: Uint8Array, start: number, length: number): number {
    const old = this.#index.find(file, offset);
    if (old >= 0) {
      if (this.#slots[old * SLOT_WORDS + LENGTH]! === length) return old;
      this.#discard(old);
    }
    const sizeClass = this.#pages.classFor(length);
    const slot = this.#takeSlot(sizeClass);
    if (slot < 0) return -1;
    const slots = this.#slots;
    const at = slot * SLOT_WORDS;
    this.memory.set(bytes.subarray(start, start + length), slot * SLOT_BYTES);
    slots[at + FILE] = file;
    slots[at + OFFSET] = offset;
    slots[at + HITS] = 0;
    this.#setLength(slot, length);
    this.#hasReturned = this.#replacement.added(sizeClass, slot);
    this.#index.link(slot);
    return slot;
  }

  /** Forgets all blocks of a file; a little later when another thread has the lock. */
  drop(file: number): void {
    this.#dropped.push(file);
    this.#changed();
  }

  /**
   * The blocks that were used again, as pairs (file, offset) in `out`, those that the policy wants to keep most first; as
   * many as fit. Returns how many. Beside other threads a pair may name no block.
   */
  workingSet(out: Uint32Array): number {
    return workingSet(this.#slots, this.#pages.slotsTouched, this.#replacement, out);
  }

  #lock(tries: number): boolean {
    const { sharing } = this.#pages;
    if (sharing === undefined) return true;
    for (let i = 0; i < tries; i++) {
      const lock = sharing.tryLock();
      if (lock === 'busy') continue;
      if (lock === 'inherited') this.startOver();
      return true;
    }
    return false;
  }

  /** Who did not get to the end leaves nothing that anybody would believe. */
  #unlock(isDone: boolean): void {
    const { sharing } = this.#pages;
    if (sharing === undefined) return;
    if (!isDone) this.startOver();
    sharing.unlock();
  }

  /** Does now, or leaves to the next insert, what was asked for. */
  #changed(): void {
    if (!this.#lock(TRIES_PATIENT)) return;
    let isDone = false;
    try {
      this.#catchUp();
      isDone = true;
    } finally {
      this.#unlock(isDone);
    }
  }

  #catchUp(): void {
    if (this.#dropped.length > 0) this.#forget();
    if (this.#pages.pagesUsed > this.#pages.pagesMax) this.#shrink();
  }

  #forget(): void {
    const slots = this.#slots;
    for (const file of this.#dropped) {
      for (let slot = 0; slot < this.#pages.slotsTouched; slot++) {
        if (slots[slot * SLOT_WORDS + FILE]! !== file || slots[slot * SLOT_WORDS + LENGTH]! === 0) continue;
        this.#discard(slot);
      }
    }
    this.#dropped = [];
    for (let sizeClass = 0; sizeClass < this.#pages.classes; sizeClass++) this.#pages.stampAll(sizeClass);
  }

  /** Empties pages down to the budget; other threads may go on using them, so after four rounds any page will do. */
  #shrink(): void {
    const pages = this.#pages;
    for (let looks = 0; pages.pagesUsed > pages.pagesMax; looks++) {
      this.#tryEmpty(-1, looks < pages.pages * 4 ? pages.pageBytes / 2 : pages.pageBytes);
    }
  }

  /** With the lock, taken from a dead holder: nothing in the tables is believed. An empty cache, but for the memory that readers may still be in. */
  startOver(): void {
    const end = this.#pages.slotsTouched;
    for (let slot = 0; slot < end; slot++) this.#setLength(slot, 0);
    this.#index.clear();
    this.#replacement.clear();
    this.#pages.startOver();
  }

  /** A slot of the class that nobody reads: a free one, one of a fresh page, or one whose block leaves or left; or -1. */
  #takeSlot(sizeClass: number): number {
    const pages = this.#pages;
    let slot = pages.take(sizeClass);
    if (slot < 0 && pages.sharing !== undefined) {
      this.#evictAhead(sizeClass);
      return pages.takeWaiting(sizeClass);
    }
    for (; slot < 0; slot = pages.take(sizeClass)) this.#evict(sizeClass);
    return slot;
  }

  /** Has slots retired before they are needed, since it takes a while until they may be used. */
  #evictAhead(sizeClass: number): void {
    const pages = this.#pages;
    for (let step = 0; step < STEPS_AHEAD_MAX && pages.wantsWaiting(sizeClass); step++) {
      if (pages.pagesOf(sizeClass) === 0) {
        if (pages.isAnyLeaving) return;
      } else if (pages.blocksOf(sizeClass) === 0) break;
      this.#evict(sizeClass);
    }
    pages.stampBatch(sizeClass);
  }

  /** Frees one slot or more for the class, or, when it has no page yet, tries to. */
  #evict(sizeClass: number): void {
    const pages = this.#pages;
    if (pages.pagesOf(sizeClass) === 0 || !pages.isPatient(sizeClass)) {
      if (this.#tryEmpty(sizeClass, pages.pageBytes / 2) || pages.pagesOf(sizeClass) === 0) return;
    }
    this.counters.evictions++;
    this.#remove(this.#replacement.victim(sizeClass));
  }

  /**
   * Looks at one page of a class other than `except` and takes it from its class when no more than `usedMax` of it was used
   * of late. The counters of hits are halved with the look, so whoever tries on succeeds.
   */
  #tryEmpty(except: number, usedMax: number): boolean {
    const pages = this.#pages;
    const page = pages.nextPage();
    const owner = pages.ownerOf(page);
    if (owner === except || owner < 0) return false;
    const slots = this.#slots;
    const first = page * pages.slotsPerPage;
    const end = first + pages.slotsPerPage;
    const stride = 1 << owner;
    let used = 0;
    for (let slot = first; slot < end; slot += stride) {
      if (slots[slot * SLOT_WORDS + LENGTH]! === 0) continue;
      const hits = slots[slot * SLOT_WORDS + HITS]!;
      if (hits !== 0) used += stride * SLOT_BYTES;
      slots[slot * SLOT_WORDS + HITS] = hits >>> 1;
    }
    if (used > usedMax) return false;
    for (let slot = first; slot < end; slot += stride) {
      if (slots[slot * SLOT_WORDS + LENGTH]! === 0) continue;
      this.counters.evictions++;
      this.#discard(slot);
    }
    pages.leave(page);
    return true;
  }

  /** A block leaves without the policy having chosen it. */
  #discard(slot: number): void {
    this.#replacement.removed(this.#pages.classOf(slot), slot);
    this.#remove(slot);
  }

  /** Publishes a block, or says first of all that it leaves. */
  #setLength(slot: number, length: number): void {
    if (this.#index.isShared) Atomics.store(this.#slots, slot * SLOT_WORDS + LENGTH, length);
    else this.#slots[slot * SLOT_WORDS + LENGTH] = length;
  }

  /** First nobody finds the slot any more, then it waits to be used again. */
  #remove(slot: number): void {
    this.#setLength(slot, 0);
    this.#index.unlink(slot);
    this.#pages.release(slot);
  }
}
