/**
 * The block cache: verified, decompressed blocks of tables by (file number, offset), in one piece of shared memory of a
 * fixed size. A point read searches a block in place in `memory`; nothing here allocates after the constructor.
 *
 * Memory is cut into pages, and a page into slots of one size (powers of two from 4 KiB to a page). A slot begins at a
 * multiple of 4 KiB, so its offset divided by that is its index in all tables below. When a size class is full, the
 * replacement policy (replacement.ts) names the block that leaves. A class that keeps evicting takes over, page by page,
 * what another class has but does not use.
 *
 *   slots   4 words a slot, so that a hit touches one line of it: file, offset, content length (0: free), and hits since
 *           the policy last looked or, for a free slot, the next free one of its class + 1
 *   table   open addressing, linear probing: slot + 1, 0 is empty
 *
 * Owner's thread only. A slot's bytes are good until the next `insert` or `drop`: copy, or search before anything else.
 */
import { assert } from '../base/assert.ts';
import { sharedMemory } from '../base/shared-memory.ts';
import {
  FILE,
  HITS,
  HITS_MAX,
  LENGTH,
  type MakeReplacement,
  OFFSET,
  type Replacement,
  SLOT_WORDS,
  WARMTH_MAX,
} from './replacement.ts';
import { s3Fifo } from './s3-fifo.ts';

const SLOT_BYTES_MIN = 4096;
/** Of a free slot, in the word of HITS. */
const LINK = HITS;
const PAGE_BYTES_MAX = 1024 * 1024;
/** Small caches have smaller pages, so that every class finds one. */
const PAGES_WANTED = 16;

/** What the cache counts; plain numbers for whoever shows them. */
export interface CacheCounters {
  hits: number;
  misses: number;
  evictions: number;
}

/** All slots of one size. */
interface SizeClass {
  readonly slotBytes: number;
  readonly pages: number[];
  /** First free slot + 1. */
  free: number;
  /** Evictions until the class next tries to take over a page. */
  patience: number;
}

export class BlockCache {
  readonly memory: Uint8Array;
  readonly counters: CacheCounters;
  readonly #pageBytes: number;
  readonly #slotsPerPage: number;
  readonly #pageClass: Int8Array;
  readonly #classes: SizeClass[] = [];
  readonly #slots: Uint32Array;
  readonly #table: Int32Array;
  readonly #mask: number;
  readonly #replacement: Replacement;
  /** Pages from here on were never used. */
  #freshPage = 0;
  /** Page that is looked at next when a class wants one. */
  #stealHand = 0;
  #bytesUsed = 0;

  /**
   * @param bytes the budget, all of it for blocks; the tables beside it take 1.5 % more. 0 caches nothing.
   * @throws busy `OUT_OF_MEMORY` when the system does not give that much address space
   */
  constructor(
    bytes: number,
    counters: CacheCounters = { hits: 0, misses: 0, evictions: 0 },
    makeReplacement: MakeReplacement = s3Fifo,
  ) {
    let pageBytes = SLOT_BYTES_MIN;
    while (pageBytes < PAGE_BYTES_MAX && pageBytes * 2 * PAGES_WANTED <= bytes) pageBytes *= 2;
    const pages = Math.floor(bytes / pageBytes);
    const slots = (pages * pageBytes) / SLOT_BYTES_MIN;
    this.memory = new Uint8Array(sharedMemory(pages * pageBytes));
    this.counters = counters;
    this.#pageBytes = pageBytes;
    this.#slotsPerPage = pageBytes / SLOT_BYTES_MIN;
    this.#pageClass = new Int8Array(pages).fill(-1);
    for (let slotBytes = SLOT_BYTES_MIN; slotBytes <= pageBytes; slotBytes *= 2) {
      const patience = pageBytes / slotBytes;
      this.#classes.push({ slotBytes, pages: [], free: 0, patience });
    }
    this.#slots = new Uint32Array(slots * SLOT_WORDS);
    let tableSize = 16;
    while (tableSize < slots * 2) tableSize *= 2;
    this.#table = new Int32Array(tableSize);
    this.#mask = tableSize - 1;
    this.#replacement = makeReplacement(this.#slots, slots, this.#classes.length);
  }

  /** Called by `insert`, after each block that it takes. */
  onInsert: (() => void) | undefined;

  /** Bytes of the slots that hold a block. */
  get bytesUsed(): number {
    return this.#bytesUsed;
  }

  /** Offset in `memory` of the block at (file, offset), now marked as used; -1 when it is not here. */
  lookup(file: number, offset: number): number {
    const at = this.#find(file, offset);
    if (at < 0) {
      this.counters.misses++;
      return -1;
    }
    return this.#hit(this.#table[at]! - 1);
  }

  /** The same for a block that an earlier lookup found at `near`: one line of memory less when it is still there. */
  lookupNear(near: number, file: number, offset: number): number {
    const slots = this.#slots;
    const at = (near / SLOT_BYTES_MIN) * SLOT_WORDS;
    const isThere = slots[at + OFFSET] === offset && slots[at + FILE] === file && slots[at + LENGTH] !== 0;
    return isThere ? this.#hit(near / SLOT_BYTES_MIN) : this.lookup(file, offset);
  }

  /** Is the block at (file, offset) here? Asking is no use of it. */
  has(file: number, offset: number): boolean {
    return this.#find(file, offset) >= 0;
  }

  /** Reads the metadata of the slot at `near`, so that the processor has it when `lookupNear` asks. */
  touch(near: number): number {
    return this.#slots[(near / SLOT_BYTES_MIN) * SLOT_WORDS]!;
  }

  #hit(slot: number): number {
    this.counters.hits++;
    const at = slot * SLOT_WORDS + HITS;
    const hits = this.#slots[at]!;
    if (hits < HITS_MAX) this.#slots[at] = hits + 1;
    return slot * SLOT_BYTES_MIN;
  }

  /** Length of the block at an offset that `lookup` or `insert` gave. */
  lengthAt(slotOffset: number): number {
    return this.#slots[(slotOffset / SLOT_BYTES_MIN) * SLOT_WORDS + LENGTH]!;
  }

  /**
   * Makes room for a block of `length` bytes, to be copied by the caller to the returned offset at once; -1 when blocks of
   * this length are not cached (over the page size, or no budget). A block that was there under the key is replaced.
   */
  insert(file: number, offset: number, length: number): number {
    assert(
      length > 0 && file <= 0xffffffff && offset <= 0xffffffff,
      'the cache takes blocks of u32 keys that hold something',
    );
    if (length > this.#pageBytes || this.#pageClass.length === 0) return -1;
    const old = this.#find(file, offset);
    if (old >= 0) this.#discard(this.#table[old]! - 1);
    let classIndex = 0;
    while (this.#classes[classIndex]!.slotBytes < length) classIndex++;
    const slot = this.#takeSlot(classIndex);
    this.#slots[slot * SLOT_WORDS + FILE] = file;
    this.#slots[slot * SLOT_WORDS + OFFSET] = offset;
    this.#slots[slot * SLOT_WORDS + LENGTH] = length;
    this.#slots[slot * SLOT_WORDS + HITS] = 0;
    this.#replacement.added(classIndex, slot);
    this.#bytesUsed += this.#classes[classIndex]!.slotBytes;
    let at = this.#home(file, offset);
    while (this.#table[at] !== 0) at = (at + 1) & this.#mask;
    this.#table[at] = slot + 1;
    this.onInsert?.();
    return slot * SLOT_BYTES_MIN;
  }

  /** Forgets all blocks of a file. */
  drop(file: number): void {
    const slots = this.#freshPage * this.#slotsPerPage;
    for (let slot = 0; slot < slots; slot++) {
      if (this.#slots[slot * SLOT_WORDS + FILE]! === file && this.#slots[slot * SLOT_WORDS + LENGTH]! !== 0)
        this.#discard(slot);
    }
  }

  /**
   * The blocks that were used again, as pairs (file, offset) in `out`, those that the policy wants to keep most first; as
   * many as fit. Returns how many.
   */
  workingSet(out: Uint32Array): number {
    const slots = this.#freshPage * this.#slotsPerPage;
    const starts = new Uint32Array(WARMTH_MAX + 2);
    for (let slot = 0; slot < slots; slot++) starts[WARMTH_MAX - this.#warmth(slot) + 1]! += 1;
    for (let i = 1; i <= WARMTH_MAX; i++) starts[i]! += starts[i - 1]!;
    const count = Math.min(starts[WARMTH_MAX]!, out.length >>> 1);
    for (let slot = 0; slot < slots; slot++) {
      const at = starts[WARMTH_MAX - this.#warmth(slot)]!++;
      if (at >= count) continue;
      out[at * 2] = this.#slots[slot * SLOT_WORDS + FILE]!;
      out[at * 2 + 1] = this.#slots[slot * SLOT_WORDS + OFFSET]!;
    }
    return count;
  }

  #warmth(slot: number): number {
    return this.#slots[slot * SLOT_WORDS + LENGTH]! === 0 ? 0 : this.#replacement.warmth(slot);
  }

  /** A free slot of the class: one it has, one of a fresh page, or one that is made free. */
  #takeSlot(classIndex: number): number {
    const sizeClass = this.#classes[classIndex]!;
    if (sizeClass.free === 0) {
      if (this.#freshPage < this.#pageClass.length) this.#givePage(classIndex, this.#freshPage++);
      else if (sizeClass.pages.length === 0) while (!this.#trySteal(classIndex));
      else this.#evict(classIndex);
    }
    const slot = sizeClass.free - 1;
    sizeClass.free = this.#slots[slot * SLOT_WORDS + LINK]!;
    return slot;
  }

  /** Frees one slot or more of the class. */
  #evict(classIndex: number): void {
    const sizeClass = this.#classes[classIndex]!;
    if (--sizeClass.patience <= 0) {
      sizeClass.patience = this.#pageBytes / sizeClass.slotBytes;
      if (this.#trySteal(classIndex)) return;
    }
    this.counters.evictions++;
    this.#remove(this.#replacement.victim(classIndex));
  }

  /**
   * Looks at one page of another class and takes it over when less than half of it was used of late. The counters of
   * hits are halved with the look, so whoever tries on succeeds.
   */
  #trySteal(classIndex: number): boolean {
    const page = this.#stealHand;
    this.#stealHand = (page + 1) % this.#pageClass.length;
    const owner = this.#pageClass[page]!;
    if (owner === classIndex) return false;
    const { slotBytes } = this.#classes[owner]!;
    const first = page * this.#slotsPerPage;
    const stride = slotBytes / SLOT_BYTES_MIN;
    let usedBytes = 0;
    for (let slot = first; slot < first + this.#slotsPerPage; slot += stride) {
      if (this.#slots[slot * SLOT_WORDS + LENGTH]! === 0) continue;
      const hits = this.#slots[slot * SLOT_WORDS + HITS]!;
      if (hits !== 0) usedBytes += slotBytes;
      this.#slots[slot * SLOT_WORDS + HITS] = hits >>> 1;
    }
    if (usedBytes * 2 > this.#pageBytes) return false;
    for (let slot = first; slot < first + this.#slotsPerPage; slot += stride) {
      if (this.#slots[slot * SLOT_WORDS + LENGTH]! === 0) continue;
      this.counters.evictions++;
      this.#discard(slot);
    }
    this.#takePage(owner, page);
    this.#givePage(classIndex, page);
    return true;
  }

  #givePage(classIndex: number, page: number): void {
    const sizeClass = this.#classes[classIndex]!;
    this.#pageClass[page] = classIndex;
    sizeClass.pages.push(page);
    const first = page * this.#slotsPerPage;
    const stride = sizeClass.slotBytes / SLOT_BYTES_MIN;
    // Backwards, so that slots are taken in ascending order.
    for (let slot = first + this.#slotsPerPage - stride; slot >= first; slot -= stride) {
      this.#slots[slot * SLOT_WORDS + LINK] = sizeClass.free;
      sizeClass.free = slot + 1;
    }
  }

  /** Takes a page whose slots are all free out of its class and its free list. */
  #takePage(classIndex: number, page: number): void {
    const sizeClass = this.#classes[classIndex]!;
    sizeClass.pages.splice(sizeClass.pages.indexOf(page), 1);
    let kept = 0;
    let next = 0;
    for (let free = sizeClass.free; free !== 0; free = next) {
      next = this.#slots[(free - 1) * SLOT_WORDS + LINK]!;
      if (Math.floor((free - 1) / this.#slotsPerPage) === page) continue;
      this.#slots[(free - 1) * SLOT_WORDS + LINK] = kept;
      kept = free;
    }
    sizeClass.free = kept;
  }

  /** A block leaves without the policy having chosen it. */
  #discard(slot: number): void {
    this.#replacement.removed(this.#classOf(slot), slot);
    this.#remove(slot);
  }

  #classOf(slot: number): number {
    return this.#pageClass[Math.floor(slot / this.#slotsPerPage)]!;
  }

  /** The slot leaves the hash table and becomes free. */
  #remove(slot: number): void {
    const sizeClass = this.#classes[this.#classOf(slot)]!;
    this.#unlist(
      this.#find(this.#slots[slot * SLOT_WORDS + FILE]!, this.#slots[slot * SLOT_WORDS + OFFSET]!),
    );
    this.#bytesUsed -= sizeClass.slotBytes;
    this.#slots[slot * SLOT_WORDS + LENGTH] = 0;
    this.#slots[slot * SLOT_WORDS + LINK] = sizeClass.free;
    sizeClass.free = slot + 1;
  }

  /** Empties a place of the hash table and closes the gap, so that no later entry of its run is cut off. */
  #unlist(at: number): void {
    assert(at >= 0, 'a slot that holds a block is in the hash table');
    const table = this.#table;
    const mask = this.#mask;
    let gap = at;
    for (let next = (at + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const slot = table[next]! - 1;
      const home = this.#home(
        this.#slots[slot * SLOT_WORDS + FILE]!,
        this.#slots[slot * SLOT_WORDS + OFFSET]!,
      );
      // It may move to the gap when its home does not lie between gap and itself.
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      table[gap] = slot + 1;
      gap = next;
    }
    table[gap] = 0;
  }

  /** Place of a key in the hash table, or -1. */
  #find(file: number, offset: number): number {
    const table = this.#table;
    const slots = this.#slots;
    for (let at = this.#home(file, offset); ; at = (at + 1) & this.#mask) {
      const entry = table[at]!;
      if (entry === 0) return -1;
      const slot = (entry - 1) * SLOT_WORDS;
      if (slots[slot + OFFSET] === offset && slots[slot + FILE] === file) return at;
    }
  }

  #home(file: number, offset: number): number {
    let hash = Math.imul(file, 0x9e3779b1) ^ Math.imul(offset, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }
}
