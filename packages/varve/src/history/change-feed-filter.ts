/**
 * Which operations a change feed shows, and as what: by keyspace, by range of keys, decoded or as bytes.
 *
 * What a keyspace id means is found once and remembered: names of keyspaces that are gone stand in their drop records, which
 * lie ahead in the log (change-feed-names.ts). One object a feed.
 */
import { compareBytes, compareRanges } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { encodeRange } from '../engine/bounds.ts';
import type { ChangesOptions } from '../engine/change-types.ts';
import { bytes } from '../engine/codecs/bytes.ts';
import { encodeKey, type KeyCodec, keyPrefixEnd, type ValueCodec } from '../engine/codecs/codec.ts';
import type { Core } from '../engine/core.ts';
import { KeyspaceHandle } from '../engine/keyspace.ts';
import type { Keyspace, Range } from '../engine/keyspace-types.ts';

/** A keyspace that is shown. */
export interface Selection {
  readonly name: string;
  readonly key: KeyCodec<unknown>;
  readonly value: ValueCodec<unknown>;
}

/** Thrown for a keyspace whose name has to be looked for. */
export const NAME_UNKNOWN: Error = new Error('the name of a keyspace is not known');

const raw = { key: bytes as KeyCodec<unknown>, value: bytes as ValueCodec<unknown> };

export class ChangeFilter {
  readonly #core: Core;
  /** Names of keyspaces that are gone. */
  readonly #gone = new Map<number, string>();
  /** What ids mean; null: not shown. */
  readonly #known = new Map<number, Selection | null>();
  readonly #handles = new Map<number, Selection>();
  readonly #names: ReadonlySet<string> | undefined;
  readonly #lower: Uint8Array | undefined;
  readonly #upper: Uint8Array | undefined;
  /** Whose name was not known. */
  #missing = -1;
  #lastId = -1;
  #last: Selection | null = null;

  /** @throws VarveError `OPTION_INVALID`, `KEYSPACE_NOT_FOUND`, `KEYSPACE_FOREIGN`, `KEYSPACE_DROPPED`, `RANGE_INVALID`, `KEY_INVALID` */
  constructor(core: Core, { keyspaces, range, since = 'now' }: ChangesOptions<unknown>) {
    this.#core = core;
    // What was there in the past may be gone, and is shown.
    this.#names = keyspaces === undefined ? undefined : this.#select(keyspaces, since !== 'now');
    if (range === undefined) return;
    const [only] = keyspaces?.length === 1 ? this.#handles.values() : [];
    const { lower, upper } = bounds(range, only?.key ?? raw.key);
    this.#lower = lower;
    this.#upper = upper;
  }

  /** True when only keyspaces are asked for that are gone: nothing can come any more. */
  get isExhausted(): boolean {
    if (this.#names === undefined || this.#names.size > 0) return false;
    for (const id of this.#handles.keys()) if (!this.#gone.has(id)) return false;
    return true;
  }

  /** What is shown of the keyspace; null for nothing. @throws NAME_UNKNOWN */
  of(id: number): Selection | null {
    if (id === this.#lastId) return this.#last;
    let found = this.#known.get(id);
    if (found === undefined) {
      found = this.#find(id);
      this.#known.set(id, found);
    }
    this.#lastId = id;
    this.#last = found;
    return found;
  }

  /** A keyspace is dropped, here or further on. */
  dropped(id: number, name: string): void {
    this.#gone.set(id, name);
  }

  /** Is the name not known still for which `NAME_UNKNOWN` was thrown? */
  get isNameMissing(): boolean {
    return !this.#gone.has(this.#missing);
  }

  /** There was none to be found: the first release did not store it. */
  nameMissing(): void {
    this.#gone.set(this.#missing, `#${this.#missing}`);
  }

  hasKey(key: Uint8Array, start: number, end: number): boolean {
    const lower = this.#lower;
    if (lower !== undefined && compareRanges(key, start, end, lower, 0, lower.length) < 0) return false;
    const upper = this.#upper;
    return upper === undefined || compareRanges(key, start, end, upper, 0, upper.length) < 0;
  }

  /** Does [from, to) meet the range? */
  meets(from: Uint8Array, to: Uint8Array): boolean {
    if (this.#lower !== undefined && compareBytes(to, this.#lower) <= 0) return false;
    return this.#upper === undefined || compareBytes(from, this.#upper) < 0;
  }

  /** Where a walk over sorted keys begins; undefined for their start. */
  get lower(): Uint8Array | undefined {
    return this.#lower;
  }

  #find(id: number): Selection | null {
    const handle = this.#handles.get(id);
    if (handle !== undefined) return handle;
    if (this.#names?.size === 0) return null;
    const name = this.#core.state.trees.get(id)?.name ?? this.#gone.get(id);
    if (name === undefined) {
      this.#missing = id;
      throw NAME_UNKNOWN;
    }
    return this.#names === undefined || this.#names.has(name) ? { name, ...raw } : null;
  }

  #select(keyspaces: readonly (string | Keyspace<unknown, unknown>)[], anyName: boolean): Set<string> {
    if (!Array.isArray(keyspaces) || keyspaces.length === 0) {
      throw invalid('OPTION_INVALID', 'keyspaces is a list of at least one keyspace or name', {
        option: 'keyspaces',
        got: Array.isArray(keyspaces) ? 'an empty list' : typeof keyspaces,
      });
    }
    const names = new Set<string>();
    const there = [...this.#core.state.trees.values()].map((tree) => tree.name);
    for (const keyspace of keyspaces as readonly (string | Keyspace<unknown, unknown>)[]) {
      if (typeof keyspace === 'string') {
        if (!anyName && !there.includes(keyspace)) {
          const context = { got: keyspace, keyspaces: there.sort() };
          throw invalid('KEYSPACE_NOT_FOUND', `there is no keyspace '${keyspace}'`, context);
        }
        names.add(keyspace);
      } else if (typeof keyspace !== 'object' || keyspace === null) {
        throw invalid('OPTION_INVALID', `keyspaces has keyspaces or their names; got ${String(keyspace)}`, {
          option: 'keyspaces',
          got: keyspace,
        });
      } else {
        const { id, name, codecs } = KeyspaceHandle.of(keyspace, this.#core);
        this.#handles.set(id, { name, ...codecs });
      }
    }
    return names;
  }
}

function bounds<K>(range: Range<K>, codec: KeyCodec<unknown>): { lower?: Uint8Array; upper?: Uint8Array } {
  const encode = (key: K): Uint8Array => encodeKey(codec, key);
  const { lower, upper, reverse, limit } = encodeRange(range, encode, (prefix) =>
    keyPrefixEnd(codec, prefix),
  );
  if (reverse || limit !== Number.POSITIVE_INFINITY) {
    throw invalid('RANGE_INVALID', 'changes come in their own order and have no end: no reverse, no limit', {
      reverse,
      limit,
    });
  }
  return { ...(lower !== undefined && { lower }), ...(upper !== undefined && { upper }) };
}
