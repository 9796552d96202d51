/**
 * Point reads that do not wait for files on the owner's thread: `getAsync` and `getManyAsync`.
 *
 * What memtables, caches and open tables can answer is answered at once, as `get` would. A read that would have to read a
 * file is ended, what it needs is fetched by worker threads, and it is made again, at its own registered sequence, until it
 * comes through (sstable/cold-reads.ts). A piece that was fetched and is missing again is read on this thread: a read makes
 * progress with every round.
 *
 * Where a read waits in one table, the tables behind it are asked for what a miss would need of them (index and filter) at
 * the same time: a key that is in none of many cold tables takes the rounds of one (docs/decisions/async-reads.md).
 */
import { cloneOf } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { hashHigh, hashKey } from '../base/hash.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { COLD, type ColdAttempt, type Piece, type WantedPiece } from '../sstable/cold-reads.ts';
import { BLOCK_BLOB, BLOCK_DATA } from '../sstable/format.ts';
import { findValue } from './find-value.ts';
import { decodeValue, type ValueCodec } from './codecs/codec.ts';
import type { BlockFetcher } from './block-fetcher.ts';
import type { Session } from './core.ts';
import { mayHold } from './get.ts';
import type { ReadPoint } from './read-point.ts';
import type { Tree } from './tree.ts';

/** Keys that are read before other tasks of the event loop get their turn, and whose cold blocks are fetched together. */
const GROUP_KEYS = 256;
const TURN_MS = 2;

/** Notes what reads of one round need. */
class Wants implements ColdAttempt {
  readonly #fetcher: BlockFetcher;
  readonly #wanted = new Map<string, WantedPiece>();
  /** Fetched in earlier rounds. */
  readonly #fetched = new Set<string>();
  /** Something is needed again that was fetched already. */
  isStuck = false;
  /** Of the piece that was wanted last. */
  type = 0;

  constructor(fetcher: BlockFetcher) {
    this.#fetcher = fetcher;
  }

  find(file: number, offset: number): Piece | undefined {
    return this.#fetcher.find(file, offset);
  }

  want(piece: WantedPiece): void {
    const name = `${piece.file}/${piece.offset}`;
    this.type = piece.type;
    if (this.#fetched.has(name)) this.isStuck = true;
    else this.#wanted.set(name, piece);
  }

  /** Has all of it fetched; calls `use` when it is here. */
  async fetch(use: () => void): Promise<void> {
    const wanted = [...this.#wanted.values()];
    for (const name of this.#wanted.keys()) this.#fetched.add(name);
    this.#wanted.clear();
    await this.#fetcher.fetch(wanted, use);
  }
}

/** What the read of a single key that needs no file comes across: nothing was brought along, and nothing is noted. */
const nothing: ColdAttempt = {
  find: () => undefined,
  want: () => undefined,
};

/** The value of the key, which may be memory of the caller's: at once where it is in memory, else when threads have read it. */
export function readLater<V>(
  core: Session,
  tree: Tree,
  key: Uint8Array,
  codec: ValueCodec<V>,
  check: () => void,
): V | undefined | Promise<V | undefined> {
  const { found, state } = core;
  state.access?.enter();
  try {
    const isFound = readNow(core, tree, key);
    if (isFound === true) return decodeValue(codec, found.value, found.valueStart, found.valueEnd);
    if (isFound === false) return undefined;
  } finally {
    state.access?.leave();
  }
  return readCold(core, tree, [cloneOf(key)], codec, check).then(([value]) => value);
}

/** As `tree.get` at the visible sequence, into `core.found`; undefined when that would read from a file. */
function readNow(core: Session, tree: Tree, key: Uint8Array): boolean | undefined {
  const { cold } = core.tables;
  if (core.reads.isUseful) {
    cold.attempt = nothing;
    if (core.tables.size > 0) core.reads.prepare();
  }
  try {
    return findValue(tree, key, core.state.visible, core.found);
  } catch (error) {
    if (error === COLD) return undefined;
    throw error;
  } finally {
    cold.attempt = undefined;
  }
}

/**
 * Reads `keys`, whose bytes stay as they are, at the sequence that is visible now. `show` is called for each, in any order, with
 * what `get` would leave in `core.found`; `check` before, whenever time has passed.
 */
async function readKeys(
  core: Session,
  tree: Tree,
  keys: readonly Uint8Array[],
  check: () => void,
  show: (key: number, isFound: boolean) => void,
): Promise<void> {
  const { register, clock, scheduler } = core;
  const sequence = register.addVisible();
  const at: ReadPoint = { sequence, time: register.time };
  try {
    let started = clock.monotonic();
    for (let from = 0; from < keys.length; from += GROUP_KEYS) {
      if (from > 0 && clock.monotonic() - started >= TURN_MS) {
        await new Promise<void>((resolve) => scheduler.soon(resolve));
        check();
        started = clock.monotonic();
      }
      const group = new Group(core, tree, keys, at, show);
      for (let key = from; key < Math.min(keys.length, from + GROUP_KEYS); key++) group.try(key);
      if (await group.finish(check)) started = clock.monotonic();
    }
  } finally {
    register.remove(at.sequence, at.time);
  }
}

/** Makes `step`, which reads, without reading on this thread. */
export async function warmly(core: Session, check: () => void, step: () => void): Promise<void> {
  const { reads, tables, state } = core;
  const wants = new Wants(reads);
  const attempt = (): boolean => state.entered(() => tables.cold.try(wants, step));
  let isDone = reads.isUseful && attempt();
  while (!isDone) {
    await wants.fetch(() => {
      check();
      wants.isStuck = false;
      isDone = attempt();
      if (isDone || !wants.isStuck) return;
      state.entered(step);
      isDone = true;
    });
  }
}

class Group {
  readonly #core: Session;
  readonly #tree: Tree;
  readonly #keys: readonly Uint8Array[];
  readonly #point: ReadPoint;
  readonly #show: (key: number, isFound: boolean) => void;
  readonly #wants: Wants;
  #cold: number[] = [];

  constructor(
    core: Session,
    tree: Tree,
    keys: readonly Uint8Array[],
    point: ReadPoint,
    show: (key: number, isFound: boolean) => void,
  ) {
    this.#core = core;
    this.#tree = tree;
    this.#keys = keys;
    this.#point = point;
    this.#show = show;
    this.#wants = new Wants(core.reads);
  }

  /** Reads the key, or notes what that takes. */
  try(key: number): void {
    this.#core.state.entered(() => this.#try(key));
  }

  #try(key: number): void {
    const bytes = this.#keys[key]!;
    const { found, tables } = this.#core;
    let isFound = false;
    const read = (): void => {
      const { sequence, time } = this.#point;
      isFound = findValue(this.#tree, bytes, sequence, found, time);
    };
    this.#wants.isStuck = false;
    if (!tables.cold.try(this.#wants, read)) {
      if (!this.#wants.isStuck) {
        this.#cold.push(key);
        // Where a filter has said yes already the key is most likely there.
        if (this.#wants.type !== BLOCK_DATA && this.#wants.type !== BLOCK_BLOB) {
          askTablesBehind(this.#tree, bytes, this.#point.sequence, this.#wants);
        }
        return;
      }
      read();
    }
    this.#show(key, isFound);
  }

  /** Reads what is cold until nothing is; true when time has passed. */
  async finish(check: () => void): Promise<boolean> {
    if (this.#cold.length === 0) return false;
    while (this.#cold.length > 0) {
      await this.#wants.fetch(() => {
        check();
        for (const key of this.#cold.splice(0)) this.try(key);
      });
    }
    return true;
  }
}

/** Asks every table that may hold the key for what it takes to say no. */
function askTablesBehind(tree: Tree, key: Uint8Array, sequence: number, wants: Wants): void {
  const { view, tables } = tree;
  const low = hashKey(key, 0, key.length);
  const high = hashHigh[0]!;
  const prepare = (file: FileMeta): void => {
    tables.cold.try(wants, () => void tables.get(file).prepare(key, low, high, sequence));
  };
  view.version.levels.forEach((files, level) => {
    if (level === 0) {
      for (const file of files) if (mayHold(file, key, 0, key.length)) prepare(file);
      return;
    }
    const at = files.length === 0 ? 0 : view.fences[level]!.find(key, 0, key.length);
    if (at < files.length && mayHold(files[at]!, key, 0, key.length)) prepare(files[at]!);
  });
}

export function keysInvalid(method: string, keys: unknown): Error {
  return invalid('KEY_INVALID', `${method} takes an array of keys`, { got: typeof keys });
}

/** The values of keys in encoded bytes that stay as they are; what is not in memory is read by other threads. */
export async function readCold<V>(
  core: Session,
  tree: Tree,
  encoded: readonly Uint8Array[],
  codec: ValueCodec<V>,
  check: () => void,
): Promise<(V | undefined)[]> {
  const values: (V | undefined)[] = encoded.map(() => undefined);
  await readKeys(core, tree, encoded, check, (key, isFound) => {
    if (!isFound) return;
    const { value, valueStart, valueEnd } = core.found;
    values[key] = decodeValue(codec, value, valueStart, valueEnd);
  });
  return values;
}
