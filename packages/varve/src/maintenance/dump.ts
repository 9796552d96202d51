/**
 * `dumpFile(path)`: what one file of a database holds, line by line, for `varve dump` and for people with a broken database.
 * Reads that file alone, synchronously, and changes nothing; the database may be open, damaged or gone.
 *
 * What a file is: by its name (`*.wal`, `*.sst`, `*.blob`, `MANIFEST-*`), else by its content (a copy under another name). Each kind
 * has its own file here: dump-log.ts, dump-table.ts, dump-blob.ts, dump-manifest.ts; what a line is stands in dump-line.ts.
 *
 * Bad bytes: records of a log can be found again behind damage, so there damage is a line of kind `damage` and the dump
 * goes on. The other files behind damage can not be believed: the dump ends with a `corruption` error there. What a
 * crash may leave at the end of a log or a manifest is no damage: a line of kind `tail`.
 */
import { viewOf } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { parseFileName } from '../fs/file-names.ts';
import { type FileSystem, readFully } from '../fs/file-system.ts';
import { nodeFileSystem } from '../fs/node-fs.ts';
import { intactRecordLength, RECORD_SEGMENT_START, RecordHeader } from '../record/log-record.ts';
import { FOOTER_TAIL_BYTES, footerLength } from '../sstable/format.ts';
import type { DumpLine } from './dump-line.ts';
import { dumpBlobLines, isBlobFile } from './dump-blob.ts';
import { dumpLogLines } from './dump-log.ts';
import { dumpManifestLines, startsLikeManifest } from './dump-manifest.ts';
import { dumpTableLines } from './dump-table.ts';

/** A whole segment-start record. */
const LOG_HEAD_BYTES = 64;

type FileKind = 'log' | 'table' | 'blob' | 'manifest';

/**
 * The lines of a log segment (.wal), a table (.sst), a blob file (.blob) or a manifest. Reading happens during iteration, and again for each.
 * Damage in a log is a line of kind `damage`; in the other files it is the error
 * `CORRUPTION`, after the lines before it.
 *
 * Errors (while iterating): `PATH_INVALID`, `FILE_UNKNOWN` (invalid: none of these files, or a directory), `CORRUPTION`
 * with file and offset, `UNSUPPORTED_KIND`, `UNSUPPORTED_VERSION`, `UNSUPPORTED_MANIFEST` (invalid: a later release wrote
 * it), `IO_ERROR`.
 *
 * @example
 * for (const { offset, kind, detail } of dumpFile('./data/000002.wal')) console.log(offset, kind, detail);
 */
export function dumpFile(path: string): Iterable<DumpLine> {
  if (typeof path !== 'string' || path === '') {
    throw invalid('PATH_INVALID', 'dumpFile takes the path of a file', { got: typeof path });
  }
  return { [Symbol.iterator]: () => dumpLines(nodeFileSystem, path) };
}

function* dumpLines(fs: FileSystem, path: string): Generator<DumpLine, void> {
  const status = fs.status(path);
  if (status !== undefined && status.kind !== 'file') {
    throw invalid('FILE_UNKNOWN', `${path} is not a file; a dump is of one file of a database`, { path });
  }
  const { kind, number } = identify(fs, path);
  if (kind === 'log') yield* dumpLogLines(fs, path, number);
  else if (kind === 'table') yield* dumpTableLines(fs, path);
  else if (kind === 'blob') yield* dumpBlobLines(fs, path);
  else yield* dumpManifestLines(fs, path);
}

/** What the file is. The number of a log segment matters: records of another segment are stale bytes in it. */
function identify(fs: FileSystem, path: string): { kind: FileKind; number: number } {
  const name = path
    .slice(path.lastIndexOf('/') + 1)
    .split('\\')
    .at(-1)!;
  const parsed = parseFileName(name);
  if (parsed?.kind === 'log') return { kind: 'log', number: parsed.number };
  const { size, head, tail } = readEnds(fs, path);
  const segment = segmentOf(head);
  if (name.endsWith('.wal')) return { kind: 'log', number: segment };
  if (name.endsWith('.sst')) return { kind: 'table', number: 0 };
  if (name.endsWith('.blob')) return { kind: 'blob', number: 0 };
  if (name.startsWith('MANIFEST')) return { kind: 'manifest', number: 0 };
  if (segment > 0) return { kind: 'log', number: segment };
  if (isTableTail(tail, size, path)) return { kind: 'table', number: 0 };
  if (isBlobFile(fs, path)) return { kind: 'blob', number: 0 };
  if (startsLikeManifest(fs, path)) return { kind: 'manifest', number: 0 };
  const message = `${path} is not a log segment (.wal), a table (.sst), a blob file (.blob) or a manifest (MANIFEST-...)`;
  throw invalid('FILE_UNKNOWN', message, { path });
}

/** The segment that the record at the head of a file names; 0 when there is none. */
function segmentOf(head: Uint8Array): number {
  const view = viewOf(head);
  if (intactRecordLength(view, 0, head.length) !== LOG_HEAD_BYTES) return 0;
  const header = new RecordHeader();
  header.decode(view, 0);
  return header.kind === RECORD_SEGMENT_START ? header.segment : 0;
}

function isTableTail(tail: Uint8Array, size: number, path: string): boolean {
  if (tail.length < FOOTER_TAIL_BYTES) return false;
  try {
    return footerLength(tail, size, path) > 0;
  } catch {
    return false;
  }
}

function readEnds(fs: FileSystem, path: string): { size: number; head: Uint8Array; tail: Uint8Array } {
  const file = fs.open(path, 'read');
  try {
    const size = file.size();
    const head = new Uint8Array(Math.min(size, LOG_HEAD_BYTES));
    const tail = new Uint8Array(Math.min(size, FOOTER_TAIL_BYTES));
    readFully(file, head, 0, head.length, 0);
    readFully(file, tail, 0, tail.length, size - tail.length);
    return { size, head, tail };
  } finally {
    file.close();
  }
}
