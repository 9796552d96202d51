/**
 * Point gets of many keys in tables, at most one table a key, in stages: all filters, all index searches, all lookups in the
 * block cache, all searches in blocks, all results. `TableReader.get` waits for about ten cache lines, one after the other;
 * here the same lines of different keys are asked for in a row, so that the processor waits for many at once. A stage
 * that would branch on what it has waited for is led by one that only touches the lines (`touched`).
 *
 * Blocks that the cache does not hold come last, in the order of the file: each is read once for all its keys, neighbours by
 * one read. Nothing enters the cache while results of the stages before are lent from it.
 *
 * Answers what `TableReader.get` would for each key. Reused from call to call; holds tables during `run` only. One thread.
 */
import { PointResult } from '../base/entry.ts';
import type { FlatIndex } from './flat-index.ts';
import { KeyBatch } from './key-batch.ts';
import { lookUp, touchBlock } from './block-lookup.ts';
import { ReadAhead } from './read-ahead.ts';
import type { TableReader } from './reader.ts';

/** Takes an entry that was found for a key of the batch; it is lent for the call. */
export interface Finder {
  found(key: number, entry: PointResult): void;
}

const READ_BYTES_MAX = 256 * 1024;
/** Blocks so far apart are read at once: reading what lies between takes less than a call of the system. */
const GAP_BYTES_MAX = 8 * 1024;
/** In place of a slot of the cache. */
const NOT_CACHED = -1;
/** In place of the start of a value. */
const NOT_FOUND = -1;

export class TableGets {
  readonly #batch: KeyBatch;
  #count = 0;
  /** Keys of the batch, by their numbers. The arrays below run beside this one. */
  readonly #keys = new Int32Array(KeyBatch.KEYS_MAX);
  readonly #tables: (TableReader | undefined)[] = emptySlots();
  readonly #partitions: (FlatIndex | undefined)[] = emptySlots();
  readonly #blocks = new Int32Array(KeyBatch.KEYS_MAX);
  /** Where in the cache's memory the block lies. */
  readonly #slots = new Float64Array(KeyBatch.KEYS_MAX);
  readonly #kinds = new Uint8Array(KeyBatch.KEYS_MAX);
  readonly #sequences = new Float64Array(KeyBatch.KEYS_MAX);
  readonly #valueStarts = new Float64Array(KeyBatch.KEYS_MAX);
  readonly #valueEnds = new Float64Array(KeyBatch.KEYS_MAX);
  /** Places whose block is not in the cache. */
  readonly #cold = new Int32Array(KeyBatch.KEYS_MAX);
  #coldCount = 0;
  readonly #readAhead = new ReadAhead(READ_BYTES_MAX, false);
  readonly #entry = new PointResult();
  /** Of all lines that were touched: a load whose result nobody wants would be left out. */
  touched = 0;

  constructor(batch: KeyBatch) {
    this.#batch = batch;
  }

  /** Key number `key` of the batch is to be looked up in the table. */
  add(key: number, table: TableReader): void {
    this.#keys[this.#count] = key;
    this.#tables[this.#count++] = table;
  }

  /** Looks up what was added, gives what is found at or below `sequence` to `finder`, and is empty again. */
  run(sequence: number, finder: Finder): void {
    try {
      this.#askFilters(sequence);
      this.#searchIndexes(sequence);
      this.#findBlocks();
      this.#searchBlocks(sequence);
      this.#giveFound(finder);
      if (this.#coldCount > 0) this.#readCold(sequence, finder);
    } finally {
      // Whatever was thrown: no table is kept from being collected.
      this.#tables.fill(undefined);
      this.#partitions.fill(undefined);
      this.#count = 0;
      this.#entry.value = this.#batch.bytes;
    }
  }

  /** Keeps those whose table's filter does not say no. */
  #askFilters(sequence: number): void {
    const { lows, highs } = this.#batch;
    const keys = this.#keys;
    const tables = this.#tables;
    let touched = 0;
    for (let i = 0; i < this.#count; i++) touched ^= tables[i]!.touchFilter(lows[keys[i]!]!);
    this.touched ^= touched;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const key = keys[i]!;
      const table = tables[i]!;
      if (sequence < table.sequenceOverride || !table.mayContain(lows[key]!, highs[key]!)) continue;
      keys[kept] = key;
      tables[kept++] = table;
    }
    this.#count = kept;
  }

  /** Finds the data block of each key; keeps those that have one. */
  #searchIndexes(sequence: number): void {
    const { bytes, ends } = this.#batch;
    const keys = this.#keys;
    const tables = this.#tables;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const key = keys[i]!;
      const { index } = tables[i]!;
      const partition = index.find(bytes, ends[key]!, ends[key + 1]!, sequence);
      if (partition === undefined) continue;
      keys[kept] = key;
      tables[kept] = tables[i];
      this.#partitions[kept] = partition;
      this.#blocks[kept++] = index.block;
    }
    this.#count = kept;
  }

  /** Where the cache holds the blocks. */
  #findBlocks(): void {
    const tables = this.#tables;
    const partitions = this.#partitions;
    const blocks = this.#blocks;
    let touched = 0;
    for (let i = 0; i < this.#count; i++) touched ^= tables[i]!.loader.touchSlot(partitions[i]!, blocks[i]!);
    this.touched ^= touched;
    this.#coldCount = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = tables[i]!.loader.slotOf(partitions[i]!, blocks[i]!);
      this.#slots[i] = slot;
      if (slot === NOT_CACHED) this.#cold[this.#coldCount++] = i;
    }
  }

  /** Searches the blocks that the cache holds. */
  #searchBlocks(sequence: number): void {
    if (this.#coldCount === this.#count) return;
    const { bytes, ends } = this.#batch;
    const memory = this.#tables[0]!.loader.cacheMemory;
    this.touched ^= touchBlocks(memory, this.#slots, this.#count);
    const entry = this.#entry;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[i]!;
      if (slot === NOT_CACHED) continue;
      const key = this.#keys[i]!;
      this.#tables[i]!.countFilterPositive();
      if (!lookUp(memory, slot, bytes, ends[key]!, ends[key + 1]!, sequence, entry)) {
        this.#tables[i]!.countFalsePositive();
        this.#valueStarts[i] = NOT_FOUND;
        continue;
      }
      this.#kinds[i] = entry.kind;
      this.#sequences[i] = this.#tables[i]!.sequenceOverride || entry.sequence;
      this.#valueStarts[i] = entry.valueStart;
      this.#valueEnds[i] = entry.valueEnd;
    }
    this.touched ^= touchValues(memory, this.#slots, this.#valueStarts, this.#valueEnds, this.#count);
  }

  /** What was found in the cache. */
  #giveFound(finder: Finder): void {
    if (this.#coldCount === this.#count) return;
    const entry = this.#entry;
    entry.value = this.#tables[0]!.loader.cacheMemory;
    for (let i = 0; i < this.#count; i++) {
      const start = this.#valueStarts[i]!;
      if (this.#slots[i]! === NOT_CACHED || start === NOT_FOUND) continue;
      entry.kind = this.#kinds[i]!;
      entry.sequence = this.#sequences[i]!;
      entry.valueStart = start;
      entry.valueEnd = this.#valueEnds[i]!;
      finder.found(this.#keys[i]!, entry);
    }
  }

  /** Reads the blocks that the cache does not hold, each once, and searches it for all keys that belong there. */
  #readCold(sequence: number, finder: Finder): void {
    const { bytes, ends } = this.#batch;
    const cold = this.#cold;
    this.#sortCold();
    let readEnd = 0;
    for (let first = 0; first < this.#coldCount; ) {
      const at = cold[first]!;
      const table = this.#tables[at]!;
      const { loader } = table;
      if (first >= readEnd) readEnd = this.#readTogether(first);
      loader.load(
        this.#partitions[at]!,
        this.#blocks[at]!,
        readEnd - first > 0 ? this.#readAhead : undefined,
      );
      for (; first < this.#coldCount && this.#compareCold(cold[first]!, at) === 0; first++) {
        const key = this.#keys[cold[first]!]!;
        table.countFilterPositive();
        if (lookUp(loader.bytes, loader.start, bytes, ends[key]!, ends[key + 1]!, sequence, this.#entry)) {
          if (table.sequenceOverride > 0) this.#entry.sequence = table.sequenceOverride;
          finder.found(key, this.#entry);
        } else table.countFalsePositive();
      }
    }
  }

  /**
   * Reads the blocks from place `first` on that lie close to each other into the read-ahead buffer; returns the place behind
   * the last of them, `first` itself when it has no neighbour.
   */
  #readTogether(first: number): number {
    const at = this.#cold[first]!;
    const { loader } = this.#tables[at]!;
    const from = this.#offsetOf(at);
    let to = from + this.#partitions[at]!.length(this.#blocks[at]!);
    let blocks = 1;
    let next = first + 1;
    for (; next < this.#coldCount; next++) {
      const other = this.#cold[next]!;
      const offset = this.#offsetOf(other);
      const end = offset + this.#partitions[other]!.length(this.#blocks[other]!);
      if (this.#tables[other]!.loader !== loader || end - from > READ_BYTES_MAX) break;
      if (offset - to > GAP_BYTES_MAX) break;
      if (end > to) blocks++;
      to = end;
    }
    if (blocks === 1) return first;
    loader.readAhead(this.#readAhead, from, to);
    return next;
  }

  #offsetOf(place: number): number {
    return this.#partitions[place]!.offset(this.#blocks[place]!);
  }

  #compareCold(a: number, b: number): number {
    const byFile = this.#tables[a]!.fileNumber - this.#tables[b]!.fileNumber;
    return byFile !== 0 ? byFile : this.#offsetOf(a) - this.#offsetOf(b);
  }

  /** By file and offset, by inserting: the reads behind it take a hundred times as long. */
  #sortCold(): void {
    const cold = this.#cold;
    for (let i = 1; i < this.#coldCount; i++) {
      const place = cold[i]!;
      let at = i;
      for (; at > 0 && this.#compareCold(cold[at - 1]!, place) > 0; at--) cold[at] = cold[at - 1]!;
      cold[at] = place;
    }
  }
}

function emptySlots(): undefined[] {
  return Array.from({ length: KeyBatch.KEYS_MAX }, () => undefined);
}

/** Touches what a search of each block reads. */
function touchBlocks(memory: Uint8Array, slots: Float64Array, count: number): number {
  let touched = 0;
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!;
    if (slot !== NOT_CACHED) touched ^= touchBlock(memory, slot);
  }
  return touched;
}

/** Touches the two ends of each value. */
function touchValues(
  memory: Uint8Array,
  slots: Float64Array,
  starts: Float64Array,
  ends: Float64Array,
  count: number,
): number {
  let touched = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const end = ends[i]!;
    if (slots[i]! === NOT_CACHED || start === NOT_FOUND || end === start) continue;
    touched ^= memory[start]! ^ memory[end - 1]!;
  }
  return touched;
}
