/**
 * Entry kinds, as stored in the log, the memtable and the tables. PERSISTED: never renumber, never reuse.
 * Kinds that this release does not write have their number taken, so that an older release refuses them by name.
 */
export const KIND_DELETE = 0;
export const KIND_PUT = 1;
/** Operands of a merge operator, in the order of their writes (base/operands.ts): they stand on what is older. */
export const KIND_MERGE = 2;
/** A put whose value stands behind the time at which it expires (base/expiry.ts). */
export const KIND_PUT_EXPIRY = 3;
/** A put whose value lies in a blob file: what is stored is a reference (sstable/blob-reference.ts). In tables only. */
export const KIND_BLOB = 4;
/** Key is the start (inclusive), value the end (exclusive); kept apart from point entries everywhere but in a batch. */
export const KIND_RANGE_DELETE = 5;

const names: Readonly<Record<number, string>> = {
  [KIND_DELETE]: 'delete',
  [KIND_PUT]: 'put',
  [KIND_MERGE]: 'merge',
  [KIND_PUT_EXPIRY]: 'put-expiry',
  [KIND_BLOB]: 'blob',
  [KIND_RANGE_DELETE]: 'range-delete',
};

/** Name of a kind for messages and dumps; 'unknown(n)' for numbers of a later release. */
export function kindName(kind: number): string {
  return names[kind] ?? `unknown(${kind})`;
}

/** Kinds that tables hold as point entries. Others are refused with the `UNSUPPORTED_KIND` error of their file. */
export function isPointKind(kind: number): boolean {
  return (kind >= KIND_DELETE && kind <= KIND_PUT_EXPIRY) || kind === KIND_BLOB;
}

/** Kinds that this release can read from a log. Others are refused with the `UNSUPPORTED_KIND` error of their file. */
export function isReadableKind(kind: number): boolean {
  return (kind >= KIND_DELETE && kind <= KIND_PUT_EXPIRY) || kind === KIND_RANGE_DELETE;
}
