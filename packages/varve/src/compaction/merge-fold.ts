/**
 * What becomes of the versions of a key of which some are merges: rule (4) of drop.ts, with the other three.
 *
 * Versions between which nobody reads are a group: whoever sees one of them sees all. In each group the merges on top become
 * one entry, at the sequence of the newest: a put when it is known what they stand on and the operator makes a value of it, else
 * a merge of all their operands. What they stand on may be in the group, in an older group, or is nothing: under a range
 * tombstone, or when nothing older can exist. Groups are decided from the oldest up, so that a value that an old snapshot still
 * reads carries the merges above it too.
 *
 * Pure, but for the operator: user code that may throw, and then nothing is folded with it, and operands stay as they are.
 */
import { copyOperands, joinLists, operandList } from '../base/operands.ts';
import { KIND_BLOB, KIND_DELETE, KIND_MERGE, KIND_PUT } from '../base/kinds.ts';
import { mayDrop, NO_NEWER, type Readers } from './drop.ts';
import { joinNeighbours } from './join-neighbours.ts';
import type { KeyVersions } from './key-versions.ts';

/** Operands that the operator gets at a time, or more. */
const CALL_OPERANDS_MIN = 1024;
/** Operands of several entries become one entry up to this size. */
const JOINED_BYTES_MAX = 1024 * 1024;

/** What folding asks. */
export interface FoldEnv {
  /** Undefined: there is no operator, or it failed. */
  merge(
    key: Uint8Array,
    existing: Uint8Array | undefined,
    operands: readonly Uint8Array[],
  ): Uint8Array | undefined;
  /** One operand for two; undefined: they stay two. */
  partialMerge(key: Uint8Array, older: Uint8Array, newer: Uint8Array): Uint8Array | undefined;
  /** The value that a reference names; undefined: it can not be read. */
  load(key: Uint8Array, reference: Uint8Array): Uint8Array | undefined;
}

export interface FoldTask {
  readonly key: Uint8Array;
  /** Newest first. Put, put with expiry, blob, delete, merge, as `kindFor` says. */
  readonly versions: KeyVersions;
  /** Sequence of the next newer version of the key that is no merge; NO_NEWER when there is none. */
  readonly newer: number;
  readonly readers: Readers;
  /** The highest range tombstone of the inputs over the key at or below a sequence; 0 for none. */
  coverAt(sequence: number): number;
  /** No older entry can exist below the inputs at this key. */
  readonly nothingBelow: boolean;
}

export interface FoldedVersion {
  readonly sequence: number;
  readonly kind: number;
  readonly value: Uint8Array;
}

/** What readers of a group find: a value, nothing (known, and undefined), or what only a read can tell. */
type State = { readonly isKnown: boolean; readonly value: Uint8Array | undefined };

const NOTHING: State = { isKnown: true, value: undefined };
const UNKNOWN: State = { isKnown: false, value: undefined };

/** What stays, newest first. */
export function foldVersions(task: FoldTask, env: FoldEnv): FoldedVersion[] {
  const { versions, readers } = task;
  const { sequences, count } = versions;
  let first = 0;
  // Rule (1).
  while (first < count && task.newer <= readers.lowestFrom(sequences[first]!)) first++;
  const groups: { from: number; to: number }[] = [];
  for (let from = first; from < count; ) {
    let to = from + 1;
    while (to < count && sequences[to - 1]! <= readers.lowestFrom(sequences[to]!)) to++;
    groups.push({ from, to });
    from = to;
  }
  let state: () => State = () => UNKNOWN;
  const kept: FoldedVersion[][] = [];
  for (const { from, to } of groups.reverse()) {
    const group = new Group(task, env, from, to, state);
    kept.push(group.decide());
    state = () => group.state();
  }
  return kept.reverse().flat();
}

class Group {
  readonly #task: FoldTask;
  readonly #env: FoldEnv;
  readonly #from: number;
  readonly #to: number;
  readonly #older: () => State;
  #state: () => State = () => UNKNOWN;

  constructor(task: FoldTask, env: FoldEnv, from: number, to: number, older: () => State) {
    this.#task = task;
    this.#env = env;
    this.#from = from;
    this.#to = to;
    this.#older = older;
  }

  state(): State {
    return this.#state();
  }

  decide(): FoldedVersion[] {
    const { versions, readers, coverAt, nothingBelow } = this.#task;
    const { sequences, kinds } = versions;
    const cover = coverAt(readers.lowestFrom(sequences[this.#from]!));
    // Of the group, what a tombstone leaves (2), and of that the merges on top.
    let live = this.#from;
    while (live < this.#to && sequences[live]! >= cover) live++;
    let base = this.#from;
    while (base < live && kinds[base] === KIND_MERGE) base++;
    const hasBase = base < live;
    const below = hasBase ? this.#stateOf(base) : this.#stateBelow(live, cover);
    const ownBase = (): FoldedVersion[] => {
      if (!hasBase || mayDrop(readers, kinds[base]!, sequences[base]!, NO_NEWER, 0, nothingBelow)) return [];
      return [this.#version(base)];
    };
    if (base === this.#from) {
      this.#state = below;
      return ownBase();
    }
    const merged = this.#merged(base, below());
    if (merged === undefined) return [...this.#joined(base), ...ownBase()];
    this.#state = () => ({ isKnown: true, value: merged });
    return [{ sequence: sequences[this.#from]!, kind: KIND_PUT, value: merged }];
  }

  #version(at: number): FoldedVersion {
    const { versions } = this.#task;
    return { sequence: versions.sequences[at]!, kind: versions.kinds[at]!, value: versions.valueOf(at) };
  }

  /** What a version that is no merge tells; it may be read from a blob file, so only when somebody asks. */
  #stateOf(base: number): () => State {
    const { versions, key } = this.#task;
    const kind = versions.kinds[base];
    if (kind === KIND_DELETE) return () => NOTHING;
    if (kind === KIND_PUT) return () => ({ isKnown: true, value: versions.valueOf(base) });
    // One that expires is not merged with as long as it is there: what stands on it outlives it.
    if (kind !== KIND_BLOB) return () => UNKNOWN;
    return () => {
      const value = this.#env.load(key, versions.valueOf(base));
      return value === undefined ? UNKNOWN : { isKnown: true, value };
    };
  }

  /** What merges stand on of which the group has no more than `live` versions. */
  #stateBelow(live: number, cover: number): () => State {
    const { versions, nothingBelow } = this.#task;
    const older = live < this.#to ? live : this.#to;
    // What lies below the inputs is older than all that is in them, also than their tombstones.
    if (older === versions.count) return () => (cover > 0 || nothingBelow ? NOTHING : UNKNOWN);
    return versions.sequences[older]! < cover ? () => NOTHING : this.#older;
  }

  #merged(base: number, below: State): Uint8Array | undefined {
    if (!below.isKnown) return undefined;
    const { key, versions } = this.#task;
    let value = below.value;
    let operands: Uint8Array[] = [];
    let bytes = 0;
    for (let at = base - 1; at >= this.#from; at--) {
      copyOperands(versions.bytes, versions.starts[at]!, versions.starts[at + 1]!, operands);
      bytes += versions.starts[at + 1]! - versions.starts[at]!;
      // A value that grows is copied by every call: of one that is large already, not before the operands weigh as much.
      const isEnough = operands.length >= CALL_OPERANDS_MIN && bytes >= (value?.length ?? 0);
      if (!isEnough && at > this.#from) continue;
      value = this.#env.merge(key, value, operands);
      if (value === undefined) return undefined;
      operands = [];
      bytes = 0;
    }
    return value;
  }

  /** The merges as few entries, newest first. */
  #joined(base: number): FoldedVersion[] {
    const { key, versions } = this.#task;
    const { starts, sequences } = versions;
    const entries: FoldedVersion[] = [];
    for (let from = this.#from; from < base; ) {
      let to = from + 1;
      while (to < base && starts[to + 1]! - starts[from]! <= JOINED_BYTES_MAX) to++;
      const lists: Uint8Array[] = [];
      for (let at = to - 1; at >= from; at--) lists.push(versions.valueOf(at));
      const value = this.#shortened(key, joinLists(lists));
      entries.push({ sequence: sequences[from]!, kind: KIND_MERGE, value });
      from = to;
    }
    return entries;
  }

  #shortened(key: Uint8Array, list: Uint8Array): Uint8Array {
    const operands: Uint8Array[] = [];
    copyOperands(list, 0, list.length, operands);
    const left = joinNeighbours(operands, (older, newer) => this.#env.partialMerge(key, older, newer));
    return left.length === operands.length ? list : joinLists(left.map(operandList));
  }
}
