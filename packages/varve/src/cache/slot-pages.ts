/**
 * The memory of the block cache as pages, and pages as slots of one size class: which slots are free, and from when on.
 *
 * Where threads share the cache, a slot whose block left waits: in a queue of its class, with a stamp (sharing.ts) that the
 * slots of a batch share, until nobody can still read it. A page that leaves its class waits as a whole. Where one thread
 * has the cache, nothing waits. All of it is used by the thread that has the cache's lock; `pagesMax` and `slotBytesUsed`
 * are read by any.
 *
 *   memory   content
 *   state    i32: units in use (of 4 KiB), pages ever used, pages in a class, pages allowed, page that is looked at next;
 *            then for each class: pages, evictions until it next tries to take over a page, waiting slots without a stamp
 *   owners   i8 of each page: class, NOBODY or LEAVING
 *   stamps   i32 of each slot, and behind them of each page that is LEAVING
 *   lists    slot-lists.ts: of each class the free slots (even) and the waiting ones, oldest first (odd)
 */
import type { CacheSharing, TakeMemory } from './sharing.ts';
import { SlotLists } from './slot-lists.ts';

export const SLOT_BYTES_MIN = 4096;
const PAGE_BYTES_MAX = 1024 * 1024;
/** Small caches have smaller pages, so that every class finds one. */
const PAGES_WANTED = 16;

const UNITS_USED = 0;
const PAGES_TOUCHED = 1;
const PAGES_USED = 2;
const PAGES_MAX = 3;
const HAND = 4;
const STATE_WORDS = 5;
const CLASS_PAGES = 0;
const CLASS_PATIENCE = 1;
const CLASS_UNSTAMPED = 2;
const CLASS_WORDS = 3;

const NOBODY = -1;
const LEAVING = -2;
/** Slots of a class that wait at a time, at most; of a small class a sixteenth of them. */
const WAITING_MAX = 16;

export class SlotPages {
  readonly pages: number;
  readonly pageBytes: number;
  readonly slotsPerPage: number;
  readonly classes: number;
  #sharing: CacheSharing | undefined;
  readonly #state: Int32Array;
  readonly #owners: Int8Array;
  readonly #stamps: Int32Array;
  readonly #lists: SlotLists;

  constructor(bytes: number, take: TakeMemory) {
    let pageBytes = SLOT_BYTES_MIN;
    let classes = 1;
    for (; pageBytes < PAGE_BYTES_MAX && pageBytes * 2 * PAGES_WANTED <= bytes; classes++) pageBytes *= 2;
    this.pageBytes = pageBytes;
    this.classes = classes;
    this.pages = Math.floor(bytes / pageBytes);
    this.slotsPerPage = pageBytes / SLOT_BYTES_MIN;
    this.#state = new Int32Array(take((STATE_WORDS + classes * CLASS_WORDS) * 4));
    this.#owners = new Int8Array(take(this.pages));
    this.#stamps = new Int32Array(take((this.slots + this.pages) * 4));
    this.#lists = new SlotLists(this.slots, classes * 2, take);
  }

  /** To be called once, by who made the memory. */
  begin(): void {
    this.#state[PAGES_MAX] = this.pages;
    this.#owners.fill(NOBODY);
    this.#resetPatience();
  }

  get sharing(): CacheSharing | undefined {
    return this.#sharing;
  }

  /** Undefined: nobody else reads, so nothing waits any longer. */
  share(sharing: CacheSharing | undefined): void {
    this.#sharing = sharing;
    for (let i = 0; sharing === undefined && i < this.classes; i++) {
      this.#state[wordOf(i) + CLASS_UNSTAMPED] = 0;
      while (this.#lists.size(i * 2 + 1) > 0) this.#lists.push(i * 2, this.#lists.shift(i * 2 + 1));
    }
  }

  /**
   * After a holder of the lock died: no class has a page, each page that was ever used waits for whoever may read in it,
   * whatever else is written here.
   */
  startOver(): void {
    this.#state[UNITS_USED] = 0;
    this.#state[PAGES_USED] = 0;
    for (let i = 0; i < this.classes; i++) {
      this.#state[wordOf(i) + CLASS_PAGES] = 0;
      this.#state[wordOf(i) + CLASS_UNSTAMPED] = 0;
    }
    this.#resetPatience();
    this.#lists.clear();
    const touched = this.#state[PAGES_TOUCHED]!;
    this.#owners.fill(LEAVING, 0, touched).fill(NOBODY, touched);
    if (this.#sharing !== undefined) this.#stamps.fill(this.#sharing.retire(), this.slots);
  }

  get slots(): number {
    return this.pages * this.slotsPerPage;
  }

  /** Slots from here on were never used. */
  get slotsTouched(): number {
    return this.#state[PAGES_TOUCHED]! * this.slotsPerPage;
  }

  get slotBytesUsed(): number {
    return (this.#state[UNITS_USED]! >>> 0) * SLOT_BYTES_MIN;
  }

  get pagesMax(): number {
    return this.#state[PAGES_MAX]!;
  }

  set pagesMax(pages: number) {
    Atomics.store(this.#state, PAGES_MAX, Math.min(pages, this.pages));
  }

  get pagesUsed(): number {
    return this.#state[PAGES_USED]!;
  }

  /** The class of blocks of this length, which fit a page. */
  classFor(length: number): number {
    let sizeClass = 0;
    while (SLOT_BYTES_MIN << sizeClass < length) sizeClass++;
    return sizeClass;
  }

  /** The class of a slot that is in use. */
  classOf(slot: number): number {
    return this.#owners[Math.floor(slot / this.slotsPerPage)]!;
  }

  pagesOf(sizeClass: number): number {
    return this.#state[wordOf(sizeClass) + CLASS_PAGES]!;
  }

  /** Blocks that a class holds, given that each slot that was taken holds one. */
  blocksOf(sizeClass: number): number {
    const slots = this.pagesOf(sizeClass) * (this.slotsPerPage >>> sizeClass);
    return slots - this.#lists.size(sizeClass * 2) - this.#lists.size(sizeClass * 2 + 1);
  }

  /** Takes a slot that is free at once, if need be from a page that nobody has; -1 when there is none. */
  take(sizeClass: number): number {
    const free = sizeClass * 2;
    if (this.#lists.size(free) === 0) {
      const page = this.pagesUsed < this.pagesMax ? this.#unusedPage() : -1;
      if (page < 0) return -1;
      this.#give(sizeClass, page);
    }
    return this.#used(sizeClass, this.#lists.shift(free));
  }

  /** Takes the slot that waits the longest; -1 when it has to go on waiting. */
  takeWaiting(sizeClass: number): number {
    const waiting = sizeClass * 2 + 1;
    if (this.#lists.size(waiting) <= this.#state[wordOf(sizeClass) + CLASS_UNSTAMPED]!) return -1;
    const isFree = this.#isPast(this.#stamps[this.#lists.first(waiting)]!);
    return isFree ? this.#used(sizeClass, this.#lists.shift(waiting)) : -1;
  }

  /** The block of a slot left; no place leads to it any more. */
  release(slot: number): void {
    const sizeClass = this.classOf(slot);
    this.#state[UNITS_USED]! -= 1 << sizeClass;
    const isShared = this.#sharing !== undefined;
    this.#lists.push(sizeClass * 2 + (isShared ? 1 : 0), slot);
    if (isShared) this.#state[wordOf(sizeClass) + CLASS_UNSTAMPED]!++;
  }

  /** Has the class fewer slots waiting than it should, so that the next blocks find one that is free? */
  wantsWaiting(sizeClass: number): boolean {
    return this.#lists.size(sizeClass * 2 + 1) < this.#waitingWanted(sizeClass);
  }

  /** Stamps the slots that were released, when they are half of what should wait or nothing else waits. */
  stampBatch(sizeClass: number): void {
    const unstamped = this.#state[wordOf(sizeClass) + CLASS_UNSTAMPED]!;
    const isLast = unstamped === this.#lists.size(sizeClass * 2 + 1);
    if (isLast || unstamped * 2 >= this.#waitingWanted(sizeClass)) this.stampAll(sizeClass);
  }

  /** Stamps all slots of a class that were released. */
  stampAll(sizeClass: number): void {
    const word = wordOf(sizeClass) + CLASS_UNSTAMPED;
    let unstamped = this.#state[word]!;
    if (unstamped === 0 || this.#sharing === undefined) return;
    const stamp = this.#sharing.retire();
    let slot = this.#lists.last(sizeClass * 2 + 1);
    for (; unstamped > 0; unstamped--, slot = this.#lists.before(slot)) this.#stamps[slot] = stamp;
    this.#state[word] = 0;
  }

  /** Do pages wait to be used by another class? */
  get isAnyLeaving(): boolean {
    return this.#owners.includes(LEAVING);
  }

  /** Turns the hand: the next page to look at. */
  nextPage(): number {
    const page = this.#state[HAND]!;
    this.#state[HAND] = (page + 1) % this.pages;
    return page;
  }

  /** The class that has a page; below 0 for none. */
  ownerOf(page: number): number {
    return this.#owners[page]!;
  }

  /** Evictions until the class next tries to take over a page; one less each time, then as many again as a page has slots. */
  isPatient(sizeClass: number): boolean {
    const word = wordOf(sizeClass) + CLASS_PATIENCE;
    if (--this.#state[word]! > 0) return true;
    this.#state[word] = this.slotsPerPage >>> sizeClass;
    return false;
  }

  /** Takes a page whose slots were all released out of its class. */
  leave(page: number): void {
    const sizeClass = this.#owners[page]!;
    this.stampAll(sizeClass);
    const first = page * this.slotsPerPage;
    for (let slot = first; slot < first + this.slotsPerPage; slot += 1 << sizeClass) this.#lists.remove(slot);
    this.#state[wordOf(sizeClass) + CLASS_PAGES]!--;
    this.#state[PAGES_USED]!--;
    this.#owners[page] = this.#sharing === undefined ? NOBODY : LEAVING;
    if (this.#sharing !== undefined) this.#stamps[this.slots + page] = this.#sharing.retire();
  }

  #give(sizeClass: number, page: number): void {
    this.#owners[page] = sizeClass;
    this.#state[wordOf(sizeClass) + CLASS_PAGES]!++;
    this.#state[PAGES_USED]!++;
    const first = page * this.slotsPerPage;
    for (let slot = first; slot < first + this.slotsPerPage; slot += 1 << sizeClass) {
      this.#lists.push(sizeClass * 2, slot);
    }
  }

  #used(sizeClass: number, slot: number): number {
    this.#state[UNITS_USED]! += 1 << sizeClass;
    return slot;
  }

  /** A page that no class has: rather one that was used before, whose memory the system has given already. Or -1. */
  #unusedPage(): number {
    for (
      let page = this.#owners.indexOf(LEAVING);
      page >= 0;
      page = this.#owners.indexOf(LEAVING, page + 1)
    ) {
      if (this.#isPast(this.#stamps[this.slots + page]!)) return page;
    }
    const page = this.#owners.indexOf(NOBODY);
    if (page >= 0 && page === this.#state[PAGES_TOUCHED]!) this.#state[PAGES_TOUCHED]!++;
    return page;
  }

  #isPast(stamp: number): boolean {
    return this.#sharing === undefined || this.#sharing.isPast(stamp);
  }

  #waitingWanted(sizeClass: number): number {
    const slots = this.pagesOf(sizeClass) * (this.slotsPerPage >>> sizeClass);
    return Math.min(Math.max(slots >>> 4, 1), WAITING_MAX);
  }

  #resetPatience(): void {
    for (let i = 0; i < this.classes; i++) this.#state[wordOf(i) + CLASS_PATIENCE] = this.slotsPerPage >>> i;
  }
}

function wordOf(sizeClass: number): number {
  return STATE_WORDS + sizeClass * CLASS_WORDS;
}
