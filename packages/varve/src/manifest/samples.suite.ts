/**
 * Made-up files, edits and versions for the tests of the manifest and of the pickers.
 */
import type { Random } from '../base/random.ts';
import type { FileMeta } from './file-meta.ts';
import type { KeyspaceRecord, VersionEdit } from './version-edit.ts';

const utf8 = new TextEncoder();

export function bytesOfText(text: string): Uint8Array {
  return utf8.encode(text);
}

/** File `number` over [smallest, largest], with whatever else a test cares about. */
export function sampleFile(
  number: number,
  smallest: string,
  largest: string,
  rest: Partial<FileMeta> = {},
): FileMeta {
  return {
    number,
    bytes: 1000,
    entries: 10,
    tombstones: 0,
    rangeTombstones: 0,
    smallestKey: bytesOfText(smallest),
    largestKey: bytesOfText(largest),
    largestExclusive: false,
    smallestSequence: number,
    largestSequence: number,
    uniqueId: new Uint8Array(16).fill(number),
    ...rest,
  };
}

export function sampleKeyspace(id: number, name = `space ${id}`): KeyspaceRecord {
  return { id, name, keyCodec: 'utf8', valueCodec: 'json', createdSequence: id };
}

/** An edit that has every field. */
export function fullEdit(): VersionEdit {
  return {
    formatVersion: 1,
    comparator: 'bytewise',
    incarnation: 3,
    lastSequence: 9_007_199_254_740_000,
    nextFileNumber: 42,
    nextKeyspaceId: 7,
    logSegment: 31,
    syncedPosition: { segment: 6, offset: 5_000_000_000 },
    metaSequence: 17,
    appliedPosition: 88,
    storedTime: 1_790_000_001_500,
    keyspacesCreated: [sampleKeyspace(4, 'ünï\u{1f600}'), sampleKeyspace(5, '\ufeffmark')],
    keyspacesDropped: [1, 2],
    removedFiles: [
      { keyspace: 4, level: 0, number: 11 },
      { keyspace: 4, level: 6, number: 12 },
    ],
    addedFiles: [
      {
        keyspace: 4,
        level: 1,
        file: sampleFile(13, '', 'm', { largestExclusive: true, rangeTombstones: 2 }),
      },
      {
        keyspace: 5,
        level: 0,
        file: sampleFile(14, 'a', 'z', {
          lowerBound: bytesOfText('b'),
          upperBound: bytesOfText('y'),
          sequenceOverride: 99,
          smallestSequence: 99,
          largestSequence: 99,
          tombstones: 4,
          expiry: { expiring: 3, earliestExpiry: 1_790_000_000_000, latestExpiry: 1_790_000_009_999 },
          blobs: [
            { number: 9, bytes: 5_000_000_000, entries: 70 },
            { number: 15, bytes: 1, entries: 1 },
          ],
        }),
      },
    ],
    flushedSequence: [{ keyspace: 4, sequence: 30 }],
    historyFloor: [{ keyspace: 5, sequence: 20 }],
    timeMarks: [
      { time: 1_790_000_000_000.5, sequence: 21 },
      { time: 1_790_000_001_000, sequence: 25 },
    ],
    addedBlobs: [
      {
        keyspace: 5,
        blob: { number: 15, bytes: 900, records: 3, recordBytes: 800, uniqueId: new Uint8Array(16).fill(15) },
      },
    ],
    removedBlobs: [{ keyspace: 4, number: 10 }],
    ingestedSequence: [{ keyspace: 5, sequence: 99 }],
    incarnationEnds: [
      { incarnation: 1, sequence: 40 },
      { incarnation: 3, sequence: 99 },
    ],
    retention: [{ keyspace: 5, ms: 3_600_000, versions: 3, since: 1_790_000_000_000 }],
    countedVersions: [{ keyspace: 5, sequence: 18, before: 2 }],
    keyspaceCodes: [
      { keyspace: 4, role: 'mergeOperator', name: 'varve.counter', version: '1' },
      { keyspace: 5, role: 'compactionFilter', name: 'mga', version: 'b' },
    ],
  };
}

/** A flush of a random table into level 0 of keyspace 1, which must be there. */
export function randomFlush(random: Random, number: number, sequence: number): VersionEdit {
  const low = random.below(20);
  const key = (index: number): string => String.fromCharCode(97 + index);
  const file = sampleFile(number, key(low), key(low + random.below(6)), {
    smallestSequence: sequence,
    largestSequence: sequence + random.below(3),
  });
  return {
    addedFiles: [{ keyspace: 1, level: 0, file }],
    flushedSequence: [{ keyspace: 1, sequence: file.largestSequence }],
    lastSequence: file.largestSequence,
    nextFileNumber: number + 1,
    timeMarks: [{ time: 1000 * number, sequence: file.largestSequence }],
  };
}
