/**
 * From where the `versions` of a retention count, as the manifest has it (version-edit.ts): of a keyspace the last one counts.
 *
 *   varint  keyspace
 *   varint  sequence
 *   varint  before
 *
 * Jobs that ran before a count was set, or raised, have kept less: what they left behind is there by chance, also from before a delete
 * that is gone. So the count is a promise for what is newer than `sequence`, and for the newest `before` versions that were there then.
 */
import type { FieldReader, FieldWriter } from './fields.ts';

export interface Counted {
  /** Of versions that are newer all count. */
  readonly sequence: number;
  /** So many of the others do, where `sequence` is not 0. */
  readonly before: number;
}

export interface CountedVersions extends Counted {
  readonly keyspace: number;
}

/** A keyspace that counts its versions since it was made. */
export const ALL_COUNTED: Counted = { sequence: 0, before: 0 };

/**
 * What counts when the number of versions is changed while `visible` is the latest sequence.
 *
 * @param counted what counts until now
 */
export function countedAfter(counted: Counted, versions: number, next: number, visible: number): Counted {
  if (next === 0) return ALL_COUNTED;
  // Without a count the value of a key is there, and nothing else for sure.
  if (versions === 0) return { sequence: visible, before: 1 };
  const before = counted.sequence === 0 ? versions : Math.min(counted.before, versions);
  if (next > versions) return { sequence: visible, before };
  return counted.sequence === 0 ? counted : { sequence: counted.sequence, before: Math.min(before, next) };
}

export function encodeCounted({ keyspace, sequence, before }: CountedVersions, to: FieldWriter): void {
  to.varint(keyspace).varint(sequence).varint(before);
}

/** @throws corruption */
export function decodeCounted(from: FieldReader): CountedVersions {
  return {
    keyspace: from.varint('a keyspace'),
    sequence: from.varint('a sequence'),
    before: from.varint('a number of versions'),
  };
}
