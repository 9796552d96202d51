/**
 * A bench for log tests: one database directory on any file system, with the little that the engine would keep of it (file
 * numbers, incarnation, what the manifest states, the batches that were written), and helpers to write, recover and damage.
 */
import { expect } from 'vitest';
import { Random } from '../base/random.ts';
import { parseFileName } from '../fs/file-names.ts';
import { type FileSystem, readFile, writeFully } from '../fs/file-system.ts';
import { type LogPosition, RECORD_BATCH } from '../record/log-record.ts';
import { cutTail } from './cut-tail.ts';
import { Log } from './log.ts';
import type { LogOptions } from './log-options.ts';
import { replay } from './replay.ts';
import type { ReplayReport } from './replay-run.ts';

export const DIRECTORY = '/db';

export interface Recovered {
  readonly report: ReplayReport;
  /** Sequence and body of every batch given to the sink. */
  readonly batches: readonly {
    sequence: number;
    timeMs: number;
    body: Uint8Array;
    file: string;
    offset: number;
  }[];
}

export class LogBench {
  fs: FileSystem;
  incarnation = 0;
  nextNumber = 1;
  /** What the manifest would hold. */
  firstSegment = 1;
  syncedPosition: LogPosition | undefined;
  settings: Partial<LogOptions> = { segmentBytes: 1024 ** 2, timestamps: true };

  constructor(fs: FileSystem) {
    this.fs = fs;
    fs.makeDirectory(DIRECTORY);
    fs.syncDirectory('/');
  }

  /** A log that goes on after `recovered`, or the first one. */
  open(report?: ReplayReport): Log {
    this.incarnation++;
    return new Log({
      fs: this.fs,
      directory: DIRECTORY,
      incarnation: this.incarnation,
      nextSegment: () => this.nextNumber++,
      segmentBytes: 1024 ** 2,
      timestamps: true,
      ...this.settings,
      ...(report === undefined
        ? {}
        : {
            previous: {
              segment: report.end.segment,
              endOffset: report.end.offset,
              lastSequence: report.lastSequence,
            },
            recovered: report.segments,
          }),
    });
  }

  logNumbers(): number[] {
    return this.fs
      .list(DIRECTORY)
      .map((name) => parseFileName(name))
      .flatMap((name) => (name?.kind === 'log' ? [name.number] : []));
  }

  recover(mode: 'strict' | 'prefix' | 'salvage' = 'prefix'): Recovered {
    const batches: { sequence: number; timeMs: number; body: Uint8Array; file: string; offset: number }[] =
      [];
    const report = replay(
      {
        fs: this.fs,
        directory: DIRECTORY,
        segments: this.logNumbers(),
        firstSegment: this.firstSegment,
        incarnationMax: this.incarnation,
        syncedPosition: this.syncedPosition,
        mode,
      },
      {
        batch: (sequence, timeMs, bytes, start, end, where) =>
          void batches.push({ sequence, timeMs, body: bytes.slice(start, end), ...where }),
        keyspaceChange: (sequence, timeMs, bytes, start, end, where) =>
          void batches.push({ sequence, timeMs, body: bytes.slice(start, end), ...where }),
        prepared: (sequence, timeMs, bytes, start, end, where) =>
          void batches.push({ sequence, timeMs, body: bytes.slice(start, end), ...where }),
        decision: (sequence, timeMs, bytes, start, end, where) =>
          void batches.push({ sequence, timeMs, body: bytes.slice(start, end), ...where }),
        ingestion: (sequence, timeMs, bytes, start, end, where) =>
          void batches.push({ sequence, timeMs, body: bytes.slice(start, end), ...where }),
      },
    );
    return { report, batches };
  }

  /** Recovers, makes it the state on disk, and goes on. */
  reopen(): { log: Log; recovered: Recovered } {
    const recovered = this.recover();
    cutTail(this.fs, DIRECTORY, recovered.report);
    return { log: this.open(recovered.report), recovered };
  }

  path(number: number): string {
    return `${DIRECTORY}/${String(number).padStart(6, '0')}.wal`;
  }

  read(number: number): Uint8Array {
    return readFile(this.fs, this.path(number));
  }

  /** Replaces the bytes of a segment. */
  write(number: number, bytes: Uint8Array): void {
    const file = this.fs.open(this.path(number), 'readWrite');
    file.truncate(bytes.length);
    writeFully(file, bytes, 0, bytes.length, 0);
    file.close();
  }
}

/** A body that says which sequence it belongs to, and with `life` who wrote it. */
export function bodyOf(sequence: number, length = 40, life = 0): Uint8Array {
  const random = new Random(sequence * 31 + life);
  const body = Uint8Array.from({ length }, () => random.below(256));
  new DataView(body.buffer).setUint32(0, sequence, true);
  return body;
}

/** Appends `count` batches with the next sequences. */
export function appendSome(log: Log, count: number, length = 40, life = 0): void {
  for (let i = 0; i < count; i++) {
    const sequence = log.lastSequence + 1;
    const body = bodyOf(sequence, length, life);
    log.append(RECORD_BATCH, sequence, 1_000_000 + sequence, body, 0, body.length);
  }
}

/** Runs the fsync that `log` asks for as the engine's job would: by name, then tells the log. */
export function syncByName(fs: FileSystem, log: Log): void {
  const { paths, directory, upTo, sequence } = log.unsynced();
  for (const path of paths) {
    const file = fs.open(path, 'readWrite');
    file.dataSync();
    file.close();
  }
  if (directory !== undefined) fs.syncDirectory(directory);
  log.markSynced(upTo, sequence);
}

/** The batches are those of sequences `from` to `to`, with the bodies that `appendSome` wrote. */
export function expectBatches(recovered: Recovered, from: number, to: number, length = 40): void {
  expect(recovered.batches.map((batch) => batch.sequence)).toEqual(
    Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i),
  );
  for (const { sequence, body } of recovered.batches) expect(body).toEqual(bodyOf(sequence, length));
}
