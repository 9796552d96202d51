/**
 * One flipped bit, judged: a copy of the database with that bit is opened and everything in it is read, in several ways.
 *
 * Allowed are the right data, an error of kind `corruption`, and what a later release could have written being refused by
 * name (`UNSUPPORTED_...`). Where the flip meets the unsynced tail of a log, the state at an earlier sequence is allowed
 * when open says that it cut something. Anything else (a wrong value, another error, a problem that reads meet and
 * `verify` does not) is a MutationFailure.
 */
import { append, type Database, type DatabaseOptions, utf8, VarveError } from 'varve';
import { type Components, openSimulated } from 'varve/testing';
import { brief, compareEntries, type TextKeyspace, Violation } from '../check.ts';
import { ExpectedState } from '../steps.ts';
import { inMemory, type MakePlace, type Place } from './places.ts';
import { type Specimen, specimenOptions } from './specimens.ts';

export interface Mutation {
  readonly specimen: string;
  readonly file: string;
  readonly offset: number;
  readonly bit: number;
}

/** `unnoticed`: all data is right and nothing was reported. `reported`: all data is right, but open or verify say something. */
export type Verdict = 'unnoticed' | 'reported' | 'corruption' | 'unsupported' | 'prefix';

/** Judges flips of one specimen; keeps the states of its history that were asked for. */
export class Judge {
  readonly #specimen: Specimen;
  readonly #makePlace: MakePlace;
  readonly #components: Components;
  readonly #states = new Map<number, ExpectedState>();
  /** Keys that were ever written, by keyspace. */
  readonly #keys = new Map<string, string[]>();

  constructor(specimen: Specimen, makePlace: MakePlace = inMemory, components: Components = {}) {
    this.#specimen = specimen;
    this.#components = components;
    this.#makePlace = makePlace;
    const keys = new Map<string, Set<string>>();
    for (const step of specimen.history) {
      if (step.kind === 'create') keys.set(step.keyspace, new Set());
      if (step.kind !== 'batch') continue;
      for (const change of step.changes) {
        keys.get(change.keyspace)!.add(change.kind === 'deleteRange' ? change.from : change.key);
      }
    }
    for (const [name, set] of keys) this.#keys.set(name, [...set]);
  }

  /** Opens, reads, verifies; with `thorough` also compacts, closes, reopens and reads again, and tries the other modes. */
  async judge({ file, offset, bit }: Mutation, thorough: boolean): Promise<Verdict> {
    const bytes = this.#specimen.files.get(file)!;
    bytes[offset]! ^= 1 << bit;
    try {
      if (thorough) await this.#otherModes(file);
      return await this.#inPlace((place) => this.#judge(place, file, thorough));
    } finally {
      bytes[offset]! ^= 1 << bit;
    }
  }

  #open({ path, fileSystem }: Omit<Place, 'dispose'>, mode: DatabaseOptions = {}): Promise<Database> {
    return openSimulated(path, { ...specimenOptions, ...mode, fileSystem }, this.#components);
  }

  async #inPlace<T>(use: (place: Place) => Promise<T>): Promise<T> {
    const place = this.#makePlace(this.#specimen.files);
    try {
      return await use(place);
    } finally {
      place.dispose();
    }
  }

  async #judge({ path, fileSystem }: Place, file: string, thorough: boolean): Promise<Verdict> {
    const db = await refusal(() => this.#open({ path, fileSystem }));
    if (typeof db === 'string') return db;
    let verdict: Verdict;
    let sequence: number;
    try {
      sequence = this.#recovered(db, file);
      verdict = await this.#read(db, sequence);
      if (thorough) {
        await refusal(() => db.compact());
        worse(await this.#read(db, sequence));
      }
    } finally {
      await refusal(() => db.close());
    }
    if (thorough) {
      const again = await refusal(() => this.#open({ path, fileSystem }));
      if (typeof again === 'string') {
        if (verdict === 'unnoticed')
          throw new Violation('the database opened, was closed, and does not open again');
        return verdict;
      }
      try {
        const found = again.stats().sequence;
        if (found !== sequence)
          throw new Violation(`opened again at sequence ${found}, before at ${sequence}`);
        worse(await this.#read(again, sequence));
      } finally {
        await refusal(() => again.close());
      }
    }
    return verdict === 'unnoticed' || verdict === 'reported'
      ? sequence < this.#specimen.history.length
        ? 'prefix'
        : verdict
      : verdict;

    /** What was read at first decides; what comes later must not be wrong, that is all. */
    function worse(later: Verdict): void {
      if (later === 'corruption' && verdict === 'unnoticed') {
        throw new Violation('everything was right at first, and corrupt after a compaction');
      }
    }
  }

  /** Salvage and read-only opens: they may refuse or find less, but not crash; read-only must find the same. */
  async #otherModes(file: string): Promise<void> {
    for (const mode of [{ readOnly: true }, { recovery: 'salvage' }, { recovery: 'strict' }] as const) {
      await this.#inPlace(async ({ path, fileSystem }) => {
        const db = await refusal(() => this.#open({ path, fileSystem }, mode));
        if (typeof db === 'string') return;
        try {
          if ('recovery' in mode && mode.recovery === 'salvage') {
            for (const name of db.keyspaces())
              await refusal(() =>
                db.keyspace(name, { key: utf8, value: utf8, mergeOperator: append }).count(),
              );
          } else await this.#read(db, this.#recovered(db, file));
        } finally {
          await refusal(() => db.close());
        }
      });
    }
  }

  /** The sequence that open recovered, when it may have recovered that. */
  #recovered(db: Database, file: string): number {
    const { synced, history } = this.#specimen;
    const { sequence } = db.stats();
    const { cutBytes, warnings } = db.recovered;
    if (sequence === history.length) return sequence;
    if (sequence > history.length)
      throw new Violation(`opened at sequence ${sequence}, only ${history.length} were written`);
    if (sequence < synced) throw new Violation(`opened at sequence ${sequence}, ${synced} were synced`);
    if (!file.endsWith('.wal'))
      throw new Violation(`opened at sequence ${sequence}, yet no log segment was changed`);
    if (cutBytes === 0 && warnings.length === 0) {
      throw new Violation(`opened at sequence ${sequence} of ${history.length} and says nothing about it`);
    }
    return sequence;
  }

  /** Everything there is, in every way there is. */
  async #read(db: Database, sequence: number): Promise<Verdict> {
    const expected = this.#state(sequence);
    const names = [...expected.keyspaces.keys()].sort();
    if (db.keyspaces().join() !== names.join()) {
      throw new Violation(`keyspaces are [${db.keyspaces().join()}], should be [${names.join()}]`);
    }
    let verdict: Verdict = 'unnoticed';
    for (const name of names) {
      if (
        !(await readKeyspace(
          db.keyspace(name, { key: utf8, value: utf8, mergeOperator: append }),
          expected,
          this.#keys.get(name)!,
        ))
      ) {
        verdict = 'corruption';
      }
    }
    const { problems } = await db.verify();
    const strange = problems.find(
      (problem) => problem.code !== 'CORRUPTION' && !problem.code.startsWith('UNSUPPORTED_'),
    );
    if (strange !== undefined) throw new Violation(`verify finds ${strange.code}: ${strange.message}`);
    if (problems.length === 0 && verdict === 'corruption')
      throw new Violation('reads meet corruption, verify does not');
    const { cutBytes, warnings } = db.recovered;
    if (verdict === 'unnoticed' && problems.length + cutBytes + warnings.length > 0) verdict = 'reported';
    return verdict;
  }

  #state(sequence: number): ExpectedState {
    let state = this.#states.get(sequence);
    if (state === undefined) {
      state = new ExpectedState();
      for (const step of this.#specimen.history.slice(0, sequence)) state.apply(step);
      this.#states.set(sequence, state);
    }
    return state;
  }
}

/** Reads one keyspace; false when some reads met corruption. What is read before that must be right all the same. */
async function readKeyspace(
  keyspace: TextKeyspace,
  expected: ExpectedState,
  keys: readonly string[],
): Promise<boolean> {
  const sorted = expected.sorted(keyspace.name);
  const entries = expected.keyspaces.get(keyspace.name)!;
  let isWhole = true;
  for (const key of keys) {
    const got = await refusal(() => ({ value: keyspace.get(key) }));
    if (typeof got === 'string') isWhole = false;
    else if (got.value !== entries.get(key)) {
      throw new Violation(
        `get ${keyspace.name}/${key} gives ${brief(got.value)}, should be ${brief(entries.get(key))}`,
      );
    }
  }
  const scan = async (
    range: { gte?: string; reverse: boolean },
    wanted: [string, string][],
  ): Promise<void> => {
    const got: [string, string][] = [];
    const end = await refusal(() => {
      for (const entry of keyspace.range(range)) got.push(entry);
      return undefined;
    });
    if (end !== undefined) isWhole = false;
    const place = `${keyspace.name}, ${JSON.stringify(range)}`;
    compareEntries(got, end === undefined ? wanted : wanted.slice(0, got.length), place);
  };
  await scan({ reverse: false }, sorted);
  await scan({ reverse: true }, sorted.toReversed());
  for (const gte of keys.filter((_, index) => index % 80 === 0)) {
    const part = sorted.filter(([key]) => key >= gte);
    await scan({ gte, reverse: false }, part);
    await scan({ gte, reverse: true }, part.toReversed());
  }
  return isWhole;
}

/** What the call gives, or how it refused; an error that is not a refusal of damaged data is thrown. */
async function refusal<T>(call: () => T | Promise<T>): Promise<T | 'corruption' | 'unsupported'> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof VarveError) {
      if (error.kind === 'corruption') return 'corruption';
      if (error.kind === 'invalid' && error.code.startsWith('UNSUPPORTED_')) return 'unsupported';
    }
    throw error;
  }
}
