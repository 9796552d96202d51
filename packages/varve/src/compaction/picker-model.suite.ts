/**
 * A keyspace whose tables are lists in memory, for the property test of the pickers: flushes, plans that run for a while
 * and are executed as the compaction job would (versions that are replaced go, tombstones go where nothing is below, what has expired is
 * a delete), and
 * reads that look at places from the newest to the oldest and stop at the first version, as the engine does.
 */
import type { Random } from '../base/random.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { sampleKeyspace } from '../manifest/samples.suite.ts';
import { applyEdit, emptyVersion, type KeyspaceVersion, type Version } from '../manifest/version.ts';
import { type CompactionPlan, editOf } from './plan.ts';

export const KEYS = 60;
const POINT_BYTES = 10;

interface Point {
  readonly key: number;
  readonly sequence: number;
  readonly isDelete: boolean;
  /** Undefined: for good. */
  readonly expiry: number | undefined;
}

/** Covers keys in [start, end). */
interface Tombstone {
  readonly start: number;
  readonly end: number;
  readonly sequence: number;
}

interface Contents {
  readonly points: readonly Point[];
  readonly tombstones: readonly Tombstone[];
}

const bytesOf = (key: number): Uint8Array => Uint8Array.of(key);
const isPut = ({ isDelete, expiry }: Point, time: number): boolean =>
  !isDelete && (expiry === undefined || expiry > time);
const covers = ({ start, end }: Tombstone, key: number): boolean => start <= key && key < end;

export class ModelKeyspace {
  version: Version = applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1)] });
  readonly #contents = new Map<number, Contents>();
  /** The newest put of each key that nothing newer deletes, whether or not it has expired. */
  readonly #truth: (Point | undefined)[] = new Array<undefined>(KEYS).fill(undefined);
  #sequence = 0;
  #number = 0;
  #time = 0;

  get keyspace(): KeyspaceVersion {
    return this.version.keyspaces.get(1)!;
  }

  /**
   * Writes a few random entries, mostly near each other, and makes them one or two tables of level 0.
   *
   * @param ttlMax puts live at most so long; left out: for good
   */
  flush(random: Random, time: number, ttlMax?: number): void {
    this.#time = time;
    const low = random.below(KEYS - 1);
    const width = 1 + random.below(random.oneIn(3) ? KEYS : 8);
    const pick = (): number => Math.min(KEYS - 1, low + random.below(width));
    const points = new Map<number, Point>();
    const tombstones: Tombstone[] = [];
    for (let entries = 1 + random.below(10); entries > 0; entries--) {
      const sequence = ++this.#sequence;
      const key = pick();
      if (random.oneIn(8)) {
        const end = Math.min(KEYS, key + 1 + random.below(8));
        tombstones.push({ start: key, end, sequence });
        this.#truth.fill(undefined, key, end);
      } else {
        const isDelete = random.oneIn(4);
        const expiry = ttlMax === undefined || isDelete ? undefined : time + 1 + random.below(ttlMax);
        const point = { key, sequence, isDelete, expiry };
        points.set(key, point);
        this.#truth[key] = isDelete ? undefined : point;
      }
    }
    const sorted = [...points.values()].sort((a, b) => a.key - b.key);
    const files = this.#tables({ points: sorted, tombstones }, random.oneIn(3) ? 40 : 1000);
    const addedFiles = files.map((file) => ({ keyspace: 1, level: 0, file }));
    this.version = applyEdit(this.version, { addedFiles });
  }

  /** Does the work of a plan, on the contents of its inputs; the result is to be installed later. Nobody reads before `time`. */
  execute(plan: CompactionPlan, time: number): readonly FileMeta[] {
    if (plan.kind !== 'merge') return [];
    const inputs = plan.inputs.flatMap(({ files }) => files.map((file) => this.#contents.get(file.number)!));
    const all = inputs.flatMap(({ tombstones }) => tombstones);
    const isBelow = (start: number, end: number): boolean =>
      plan.below.some((file) => start <= lastKey(file) && file.smallestKey[0]! < end);
    const newest = new Map<number, Point>();
    for (const point of inputs.flatMap(({ points }) => points)) {
      if (point.sequence > (newest.get(point.key)?.sequence ?? 0)) newest.set(point.key, point);
    }
    const points = [...newest.values()]
      .filter(({ key, sequence }) => !all.some((each) => covers(each, key) && each.sequence > sequence))
      .map((point) => (isPut(point, time) ? point : { ...point, isDelete: true, expiry: undefined }))
      .filter(({ key, isDelete }) => !isDelete || isBelow(key, key + 1))
      .sort((a, b) => a.key - b.key);
    const tombstones = all.filter(({ start, end }) => isBelow(start, end));
    return this.#tables({ points, tombstones }, plan.tableBytesMax);
  }

  /** What was in the files counts as deleted from now on, unless something newer lies above. */
  #forget(plan: CompactionPlan): void {
    for (const { files } of plan.inputs) {
      for (const file of files) {
        for (const { key, sequence } of this.#contents.get(file.number)!.points) {
          if (this.#truth[key]?.sequence === sequence) this.#truth[key] = undefined;
        }
      }
    }
  }

  install(plan: CompactionPlan, outputs: readonly FileMeta[]): void {
    this.version = applyEdit(this.version, editOf(1, plan, outputs));
    if (plan.kind === 'drop' && plan.reason !== 'expired') this.#forget(plan);
  }

  /** What is wrong with the order of places, or with a read at `time`; undefined when all is well. */
  problem(time: number): string | undefined {
    const places = this.keyspace.levels.flat();
    for (let key = 0; key < KEYS; key++) {
      let oldest = Number.POSITIVE_INFINITY;
      let cover = 0;
      let found: Point | undefined;
      for (const file of places) {
        const { points, tombstones } = this.#contents.get(file.number)!;
        const point = points.find((each) => each.key === key);
        const here = tombstones.filter((each) => covers(each, key)).map(({ sequence }) => sequence);
        const sequences = point === undefined ? here : [...here, point.sequence];
        if (sequences.length === 0) continue;
        if (Math.max(...sequences) >= oldest)
          return `key ${key}: file ${file.number} has something newer than a place above it`;
        oldest = Math.min(...sequences);
        cover = Math.max(cover, ...here);
        found ??= point;
        if (found !== undefined && found === point && found.sequence < cover)
          found = { ...found, isDelete: true };
      }
      const shown = (point: Point | undefined): number =>
        point !== undefined && isPut(point, time) ? point.sequence : 0;
      const read = shown(found);
      const written = shown(this.#truth[key]);
      if (read !== written) return `key ${key}: read ${read}, written ${written}`;
    }
    return undefined;
  }

  /** Cuts sorted contents into tables between two keys, range tombstones at the same keys. */
  #tables(contents: Contents, bytesMax: number): FileMeta[] {
    const { points, tombstones } = contents;
    const files: FileMeta[] = [];
    const perTable = Math.max(1, Math.floor(bytesMax / POINT_BYTES));
    let lower = 0;
    for (let at = 0; at === 0 || at < points.length; at += perTable) {
      const upper = points[at + perTable]?.key ?? KEYS;
      const inside = tombstones
        .filter(({ start, end }) => start < upper && end > lower)
        .map(({ start, end, sequence }) => ({
          start: Math.max(start, lower),
          end: Math.min(end, upper),
          sequence,
        }));
      const file = this.#table({ points: points.slice(at, at + perTable), tombstones: inside });
      if (file !== undefined) files.push(file);
      lower = upper;
    }
    return files;
  }

  #table(contents: Contents): FileMeta | undefined {
    const { points, tombstones } = contents;
    if (points.length + tombstones.length === 0) return undefined;
    const number = ++this.#number;
    this.#contents.set(number, contents);
    const sequences = [...points, ...tombstones].map(({ sequence }) => sequence);
    const largestPoint = Math.max(-1, ...points.map(({ key }) => key));
    const largestEnd = Math.max(-1, ...tombstones.map(({ end }) => end));
    const expiries = points.flatMap(({ expiry }) => (expiry === undefined ? [] : [expiry]));
    return {
      number,
      bytes: POINT_BYTES * (points.length + tombstones.length),
      entries: points.length,
      tombstones: points.filter(({ isDelete }) => isDelete).length,
      rangeTombstones: tombstones.length,
      smallestKey: bytesOf(
        Math.min(...points.map(({ key }) => key), ...tombstones.map(({ start }) => start)),
      ),
      largestKey: bytesOf(Math.max(largestPoint, largestEnd)),
      largestExclusive: largestEnd > largestPoint,
      smallestSequence: Math.min(...sequences),
      largestSequence: Math.max(...sequences),
      uniqueId: new Uint8Array(16),
      newestTime: this.#time,
      ...(expiries.length > 0 && {
        expiry: {
          expiring: expiries.length,
          earliestExpiry: Math.min(...expiries),
          latestExpiry: Math.max(...expiries),
        },
      }),
    };
  }
}

function lastKey({ largestKey, largestExclusive }: FileMeta): number {
  return largestKey[0]! - Number(largestExclusive);
}
