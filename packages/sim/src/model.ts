/**
 * What the database should hold: every version of every key with its sequence, over all keyspaces, as plain sorted maps.
 * Knows every state that ever was, so a recovered database can be held against the state at the sequence it reports. What
 * expires is there or not by the time of the reader.
 */

/** One change of a batch, keys and values as text. */
export type Change =
  | {
      readonly kind: 'put';
      readonly keyspace: string;
      readonly key: string;
      readonly value: string;
      /** How long it lives; left out: for good. */
      readonly ttlMs?: number | undefined;
    }
  /** Appends to the value. */
  | { readonly kind: 'merge'; readonly keyspace: string; readonly key: string; readonly operand: string }
  | { readonly kind: 'delete'; readonly keyspace: string; readonly key: string }
  | { readonly kind: 'deleteRange'; readonly keyspace: string; readonly from: string; readonly to: string };

interface Version {
  readonly sequence: number;
  readonly value: string | undefined;
  readonly expiry: number;
  /** `value` is appended to what was there before. */
  readonly appends: boolean;
}

/** Where a reader stands: its sequence, and its time by the database's clock. */
export interface Point {
  readonly sequence: number;
  readonly time: number;
}

/** Changes that are written together, and the time of the database's clock by which their values expire. */
export interface Write {
  readonly changes: readonly Change[];
  readonly time: number;
}

const NEVER = Number.POSITIVE_INFINITY;

class ModelKeyspace {
  readonly name: string;
  readonly created: number;
  dropped = Number.POSITIVE_INFINITY;
  readonly keys = new Map<string, Version[]>();

  constructor(name: string, created: number) {
    this.name = name;
    this.created = created;
  }

  set(key: string, sequence: number, value: string | undefined, expiry = NEVER): void {
    const versions = this.keys.get(key) ?? [];
    if (versions.length === 0) this.keys.set(key, versions);
    if (versions.at(-1)?.sequence === sequence) versions.pop();
    versions.push({ sequence, value, expiry, appends: false });
  }

  /** What the batch has put itself is appended to at once; one that expires keeps its time. */
  append(key: string, sequence: number, operand: string): void {
    const versions = this.keys.get(key) ?? [];
    if (versions.length === 0) this.keys.set(key, versions);
    const own = versions.at(-1)?.sequence === sequence ? versions.pop() : undefined;
    if (own === undefined) versions.push({ sequence, value: operand, expiry: NEVER, appends: true });
    else versions.push({ ...own, value: (own.value ?? '') + operand });
  }

  /** Is a value of it there that has not been deleted? Whether it has expired changes with the clock. */
  holds(key: string): boolean {
    return this.keys.get(key)?.at(-1)?.value !== undefined;
  }

  at(key: string, { sequence, time }: Point): string | undefined {
    const versions = this.keys.get(key) ?? [];
    let appended: string | undefined;
    for (let i = versions.length - 1; i >= 0; i--) {
      const version = versions[i]!;
      if (version.sequence > sequence) continue;
      const value = version.expiry <= time ? undefined : version.value;
      if (!version.appends) return value === undefined ? appended : value + (appended ?? '');
      appended = value! + (appended ?? '');
    }
    return appended;
  }
}

export class Model {
  /** Highest sequence that was given out, whether or not it will survive. */
  latest = 0;
  /** What may have survived a crash behind `latest`: histories of which at most one did, from its beginning on. */
  possible: readonly (readonly Write[])[] = [];
  #keyspaces: ModelKeyspace[] = [];

  /** Highest sequence that may be found after a crash. */
  get latestPossible(): number {
    return this.latest + Math.max(0, ...this.possible.map((history) => history.length));
  }

  /** The keyspaces that exist at `sequence`, sorted. */
  names(sequence: number = this.latest): string[] {
    return this.#keyspaces
      .filter((keyspace) => keyspace.created <= sequence && sequence < keyspace.dropped)
      .map((keyspace) => keyspace.name)
      .sort();
  }

  create(name: string, sequence: number): void {
    this.#keyspaces.push(new ModelKeyspace(name, sequence));
    this.latest = sequence;
  }

  drop(name: string, sequence: number): void {
    this.#find(name, this.latest).dropped = sequence;
    this.latest = sequence;
  }

  /** `time`: of the database's clock when the batch was written. */
  apply(changes: readonly Change[], { sequence, time }: Point): void {
    for (const change of changes) {
      const keyspace = this.#find(change.keyspace, this.latest);
      if (change.kind === 'put') {
        const { key, value, ttlMs } = change;
        keyspace.set(key, sequence, value, ttlMs === undefined ? NEVER : time + ttlMs);
      } else if (change.kind === 'merge') keyspace.append(change.key, sequence, change.operand);
      else if (change.kind === 'delete') keyspace.set(change.key, sequence, undefined);
      else {
        for (const key of keyspace.keys.keys()) {
          if (key >= change.from && key < change.to && keyspace.holds(key)) {
            keyspace.set(key, sequence, undefined);
          }
        }
      }
    }
    this.latest = sequence;
  }

  get(name: string, key: string, at: Point): string | undefined {
    return this.#find(name, at.sequence).at(key, at);
  }

  /** Entries of [from, to) that a reader sees, ascending. */
  entries(name: string, at: Point, from = '', to?: string): [string, string][] {
    const keyspace = this.#find(name, at.sequence);
    const found: [string, string][] = [];
    for (const key of keyspace.keys.keys()) {
      if (key < from || (to !== undefined && key >= to)) continue;
      const value = keyspace.at(key, at);
      if (value !== undefined) found.push([key, value]);
    }
    return found.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  /** Everything above `sequence` was lost in a crash. */
  truncate(sequence: number): void {
    this.#keyspaces = this.#keyspaces.filter((keyspace) => keyspace.created <= sequence);
    for (const keyspace of this.#keyspaces) {
      if (keyspace.dropped > sequence) keyspace.dropped = Number.POSITIVE_INFINITY;
      for (const [key, versions] of keyspace.keys) {
        while (versions.length > 0 && versions.at(-1)!.sequence > sequence) versions.pop();
        if (versions.length === 0) keyspace.keys.delete(key);
      }
    }
    this.latest = sequence;
  }

  #find(name: string, sequence: number): ModelKeyspace {
    const found = this.#keyspaces.find(
      (k) => k.name === name && k.created <= sequence && sequence < k.dropped,
    );
    if (found === undefined) throw new Error(`the model has no keyspace ${name} at ${sequence}`);
    return found;
  }
}
