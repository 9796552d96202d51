/**
 * The log as it is, records gathered in a buffer and handed over by a write per 64 KiB, beside records that are copied
 * into a mapping of the segment; and, since a mapping would make each record safe from the end of the process, a write
 * per record. Segments of 64 MiB, new or recycled, as the engine has them; records of 160 bytes, what a put of 16 + 100
 * bytes takes with its headers. Behind docs/decisions/0012-log-is-written-not-mapped.md.
 *
 * Synced every 4 MiB or not at all. The time of the syncs stands for itself: the engine syncs in a thread. Processor time is
 * that of this thread, system calls and page faults included; the median is that of 64 KiB of records in a row.
 */
import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Copier, crc32c } from 'varve/internals';
import { inRounds, middle, row, type StudyMeans } from './rounds.bench.ts';
import { type Mapper, mapperIfThere } from './writable-mapping.bench.ts';

const SEGMENT_BYTES = 64 * 2 ** 20;
const RECORD_BYTES = 160;
const BUFFER_BYTES = 64 * 1024;
const SYNC_BYTES = 4 * 2 ** 20;
/** Records that fill the buffer; the segment holds as many of these as fit. */
const PER_UNIT = Math.floor(BUFFER_BYTES / RECORD_BYTES);
const RECORDS = Math.floor(SEGMENT_BYTES / RECORD_BYTES / PER_UNIT) * PER_UNIT;
const CHECKSUM_BYTES = 4;
const PAGE_BYTES = 4096;

interface Way {
  readonly name: string;
  readonly kind: 'written' | 'mapped' | 'populated';
  /** Bytes of a hand-over. */
  readonly unit: number;
  /** The segment has been written before, and the system has its pages. */
  readonly recycled: boolean;
  readonly synced: boolean;
}

interface Measured {
  /** Processor time of a record. */
  readonly processorNs: number;
  /** Of a record, in the middle one of all 64 KiB. */
  readonly medianNs: number;
  readonly syncMs: number;
  readonly prepareMs: number;
  readonly faults: number;
}

/** Puts records where they belong; `end` hands over what is left. */
interface Target {
  append(record: Uint8Array): void;
  end(): void;
  /** Brings everything so far to disk. */
  sync(): void;
  close(): void;
}

class Written implements Target {
  readonly #descriptor: number;
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  readonly #copier = new Copier();
  #used = 0;
  #offset = 0;

  constructor(descriptor: number, unit: number) {
    this.#descriptor = descriptor;
    this.#buffer = new Uint8Array(unit);
    this.#view = new DataView(this.#buffer.buffer);
  }

  append(record: Uint8Array): void {
    if (this.#used + RECORD_BYTES > this.#buffer.length) this.end();
    const at = this.#used;
    this.#copier.copy(record, 0, RECORD_BYTES, this.#buffer, at);
    this.#used = at + RECORD_BYTES;
    this.#view.setUint32(at, crc32c(this.#buffer, at + CHECKSUM_BYTES, this.#used), true);
  }

  end(): void {
    this.#offset += writeSync(this.#descriptor, this.#buffer, 0, this.#used, this.#offset);
    this.#used = 0;
  }

  sync(): void {
    fdatasyncSync(this.#descriptor);
  }

  close(): void {}
}

class Mapped implements Target {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #mapping: ReturnType<Mapper['map']>;
  readonly #copier = new Copier();
  #used = 0;
  #synced = 0;

  constructor(mapping: ReturnType<Mapper['map']>) {
    this.#mapping = mapping;
    this.#bytes = mapping.bytes;
    this.#view = new DataView(mapping.bytes.buffer);
  }

  append(record: Uint8Array): void {
    const at = this.#used;
    this.#copier.copy(record, 0, RECORD_BYTES, this.#bytes, at);
    this.#used = at + RECORD_BYTES;
    this.#view.setUint32(at, crc32c(this.#bytes, at + CHECKSUM_BYTES, this.#used), true);
  }

  end(): void {}

  sync(): void {
    const from = this.#synced;
    this.#synced = Math.floor(this.#used / PAGE_BYTES) * PAGE_BYTES;
    this.#mapping.sync(from, Math.min(SEGMENT_BYTES, this.#synced + PAGE_BYTES));
  }

  close(): void {
    this.#mapping.unmap();
  }
}

export async function studyLog({ rounds, directory, say }: StudyMeans): Promise<void> {
  const mapper = mapperIfThere(say);
  const recycled = join(directory, 'recycled');
  const made = openSync(recycled, 'w+');
  const full = new Uint8Array(SYNC_BYTES).fill(1);
  for (let at = 0; at < SEGMENT_BYTES; at += full.length) writeSync(made, full, 0, full.length, at);
  fdatasyncSync(made);
  closeSync(made);

  const fresh = (way: Way): Measured => measure(way, mapper, join(directory, 'fresh'), recycled);
  for (const synced of [false, true]) {
    const ways = waysFor(synced, mapper !== undefined);
    say(
      `${synced ? '\n' : ''}${synced ? 'synced every 4 MiB' : 'not synced'}: ${rounds} rounds, 64 MiB in records of 160 bytes`,
    );
    say(row('', ['processor ns', 'least', 'most', 'median ns', 'prepare ms', 'sync ms', 'page faults']));
    const results = await inRounds(ways, rounds, fresh);
    for (const [index, way] of ways.entries()) {
      const own = results[index]!;
      const times = own.map(({ processorNs }) => processorNs);
      say(
        row(way.name, [
          middle(own, ({ processorNs }) => processorNs).toFixed(0),
          Math.min(...times).toFixed(0),
          Math.max(...times).toFixed(0),
          middle(own, ({ medianNs }) => medianNs).toFixed(0),
          middle(own, ({ prepareMs }) => prepareMs).toFixed(1),
          middle(own, ({ syncMs }) => syncMs).toFixed(0),
          middle(own, ({ faults }) => faults).toFixed(0),
        ]),
      );
    }
  }
}

function waysFor(synced: boolean, canMap: boolean): readonly Way[] {
  const way = (name: string, kind: Way['kind'], isRecycled: boolean, unit = BUFFER_BYTES): Way => ({
    name,
    kind,
    unit,
    recycled: isRecycled,
    synced,
  });
  return [
    way('written per 64 KiB, new file', 'written', false),
    way('written per 64 KiB, recycled', 'written', true),
    way('written per record, new file', 'written', false, RECORD_BYTES),
    ...(canMap
      ? [
          way('mapped, new file, preallocated', 'mapped', false),
          way('mapped, recycled', 'mapped', true),
          way('mapped, recycled, all pages populated', 'populated', true),
        ]
      : []),
  ];
}

function measure(way: Way, mapper: Mapper | undefined, fresh: string, recycled: string): Measured {
  const path = way.recycled ? recycled : fresh;
  const record = new Uint8Array(RECORD_BYTES).fill(120);
  const before = performance.now();
  const descriptor = openSync(path, way.recycled ? 'r+' : 'w+');
  let target: Target;
  const faultsBefore = faultsSoFar();
  if (way.kind === 'written') target = new Written(descriptor, way.unit);
  else {
    if (!way.recycled) {
      mapper!.allocate(descriptor, SEGMENT_BYTES);
      ftruncateSync(descriptor, SEGMENT_BYTES);
    }
    target = new Mapped(mapper!.map(descriptor, SEGMENT_BYTES, way.kind === 'populated'));
  }
  const start = performance.now();
  const appended = appendAll(target, record, way.synced);
  const faults = faultsSoFar() - faultsBefore;
  target.close();
  closeSync(descriptor);
  if (!way.recycled) rmSync(path);
  return {
    ...appended,
    prepareMs: start - before,
    faults,
  };
}

function appendAll(
  target: Target,
  record: Uint8Array,
  synced: boolean,
): Pick<Measured, 'processorNs' | 'medianNs' | 'syncMs'> {
  const times: number[] = [];
  let processorUs = 0;
  let syncMs = 0;
  let unsynced = 0;
  for (let done = 0; done < RECORDS; done += PER_UNIT) {
    const before = process.threadCpuUsage();
    const start = performance.now();
    for (let i = 0; i < PER_UNIT; i++) target.append(record);
    target.end();
    const end = performance.now();
    const { user, system } = process.threadCpuUsage(before);
    processorUs += user + system;
    times.push(((end - start) * 1e6) / PER_UNIT);
    unsynced += PER_UNIT * RECORD_BYTES;
    if (!synced || unsynced < SYNC_BYTES) continue;
    target.sync();
    syncMs += performance.now() - end;
    unsynced = 0;
  }
  return {
    processorNs: (processorUs * 1e3) / RECORDS,
    medianNs: middle(times, (ns) => ns),
    syncMs,
  };
}

function faultsSoFar(): number {
  const { minorPageFault, majorPageFault } = process.resourceUsage();
  return minorPageFault + majorPageFault;
}
