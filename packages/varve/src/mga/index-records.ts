/**
 * What is stored of the indexes of a database: a record each, under its name in the keyspace `varve.mga`, and its entries in a
 * keyspace of their own, with a number that a rebuild raises (generations.ts).
 *
 * PERSISTED: members keep their meaning. Invariant: a keyspace of an index whose number is not that of the record belongs to nobody.
 */
import { type Database, json, type Keyspace, type KeyspaceSettings, utf8 } from '../index.ts';

export interface IndexRecord {
  readonly format: 1;
  /** Of the keyspace that has its entries. */
  readonly generation: number;
  readonly codec: string;
  readonly unique: boolean;
  readonly keyBytes: number | undefined;
  /** Writes are refused meanwhile. */
  readonly busy?: 'reindex' | 'move';
  /** Random: the name of the index in an inventory that another database keeps. */
  readonly id?: string;
}

export type IndexRecords = Keyspace<string, IndexRecord>;

export const RECORDS = 'varve.mga';
/** Name of the value codec of entries. */
export const ENTRY_CODEC = 'varve.mga';
const ENTRIES = 'varve.mga/';

/** For keyspaces whose entries never go by themselves, whatever `keyspaceDefaults` are. */
export const LASTING: Readonly<KeyspaceSettings> = {
  compaction: { strategy: 'leveled' },
  ttlMs: Number.MAX_SAFE_INTEGER,
};

/** Settings of a keyspace for entries. Where the database was attached, those of its owner stay when none are given. */
export function entrySettings(given: KeyspaceSettings | undefined, isAttached: boolean): KeyspaceSettings {
  if (isAttached && given === undefined) return {};
  const { compaction = LASTING.compaction! } = given ?? {};
  return { ...given, ...LASTING, compaction };
}

export function recordsOf(db: Database): IndexRecords {
  return db.keyspace(RECORDS, { key: utf8, value: json<IndexRecord>(), ...LASTING });
}

export function keyspaceName(index: string, generation: number): string {
  return `${ENTRIES}${index}/${generation}`;
}

/** Whose entries a keyspace has; undefined: no index's. */
export function partsOf(keyspace: string): { index: string; generation: number } | undefined {
  const match = /^varve\.mga\/(.+)\/(\d+)$/s.exec(keyspace);
  return match === null ? undefined : { index: match[1]!, generation: Number(match[2]) };
}
