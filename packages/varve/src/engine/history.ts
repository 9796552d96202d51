/**
 * How far back the past of each keyspace can be read, and what jobs keep for that (docs/internals/time-travel.md).
 *
 * A keyspace with a retention by time has a window: states from its start on can be read. The start is a state (a sequence)
 * and a time, both only rise, and `advance` is the one place where they do. A job takes its readers from `readersFor`, which
 * moves the start first and reads the register after that; whoever reads the past is registered and then looks at the start
 * (`at`). Both run on the owner's thread and to their end, so nobody falls between (CONTRACT 5). The next
 * edit stores the sequence of a start that a job has used as `historyFloor`, so what a job dropped is past the floor that the manifest
 * names before its output or with it.
 * The time of a start is now - ms, or when the retention began. Each edit stores the clock too, which never runs back: so no reader
 * judges what has expired by an earlier time than a job has, also after a reopening.
 */
import { invalid } from '../base/errors.ts';
import { ALL_COUNTED, type Counted, countedAfter } from '../manifest/counted-versions.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { Retention, VersionEdit } from '../manifest/version-edit.ts';
import type { RetentionOption } from '../options/retention.ts';
import type { Core, PastKeeping, TreeReaders } from './core.ts';
import { checkPastOfAny, type KeptVersions, type PastState, type PastTarget } from './past.ts';
import type { RetentionChange } from './keyspace-change.ts';
import type { ReadPoint } from './read-point.ts';
import type { TimeMarks } from './time-marks.ts';
import type { Tree } from './tree.ts';

class HistoryWindow {
  readonly retention: Retention;
  #sequence: number;
  #time: number;

  constructor(retention: Retention, floor: number) {
    this.retention = retention;
    this.#sequence = floor;
    this.#time = retention.since;
  }

  /** The first state that can be read now. */
  advance({ time }: ReadPoint, marks: TimeMarks): ReadPoint {
    const from = time - this.retention.ms;
    this.#sequence = Math.max(this.#sequence, marks.at(from)?.sequence ?? 0);
    // In a database that is not written to it goes on as well.
    this.#time = Math.max(this.#time, from);
    return { sequence: this.#sequence, time: this.#time };
  }
}

/** So many starts are stored with an edit beside those that jobs have used. */
const STORED_IN_TURN = 64;

const NOTHING: Retention = { ms: 0, versions: 0, since: 0 };

export class History implements PastKeeping {
  readonly #marks: TimeMarks;
  readonly #core: Core;
  readonly #retentions = new Map<number, Retention>();
  readonly #counted = new Map<number, Counted>();
  /** Of the keyspaces that keep the past by time. */
  readonly #windows = new Map<number, HistoryWindow>();
  /** Keyspaces whose start jobs have used since it was stored last. */
  readonly #used = new Set<number>();
  /** Through the windows, some at each edit, and the oldest start that was met on the way. */
  #turn: Iterator<number> = this.#windows.keys();
  #oldest: number = Number.POSITIVE_INFINITY;

  constructor(core: Core, marks: TimeMarks, keyspaces: Iterable<KeyspaceVersion>) {
    this.#core = core;
    this.#marks = marks;
    for (const { record, retention, counted, historyFloor } of keyspaces) {
      if (retention !== undefined) this.#set(record.id, retention, counted, historyFloor);
    }
    // Replay has gathered marks for keyspaces that it may have dropped again.
    this.#marks.isKept = this.#windows.size > 0;
  }

  /** How many versions of a key the keyspace keeps; 0: as many as anybody may read. */
  versionsOf(keyspace: number): number {
    return this.retentionOf(keyspace).versions;
  }

  retentionOf(keyspace: number): Retention {
    return this.#retentions.get(keyspace) ?? NOTHING;
  }

  /** The first state of the keyspace that can be read now; undefined when it does not keep its past. */
  startOf(keyspace: number): ReadPoint | undefined {
    return this.#windows.get(keyspace)?.advance(this.#now(), this.#marks);
  }

  /** What a job that starts now has to keep in the tree. */
  readersFor(tree: Tree): TreeReaders {
    const start = this.startOf(tree.id);
    if (start !== undefined) this.#used.add(tree.id);
    const { floor, registered, time } = this.#core.register.forJob();
    const versions = this.versionsOf(tree.id);
    if (start === undefined) return { floor, registered, time, versions };
    return { floor: Math.min(floor, start.sequence), registered, time: Math.min(time, start.time), versions };
  }

  /** What every edit says of the past. `keyspaces` are those that the manifest has. */
  editFacts(keyspaces: ReadonlyMap<number, KeyspaceVersion>): VersionEdit {
    const now = this.#now();
    const historyFloor: { keyspace: number; sequence: number }[] = [];
    const store = (keyspace: number): number => {
      const { sequence } = this.#windows.get(keyspace)!.advance(now, this.#marks);
      const known = keyspaces.get(keyspace);
      if (known !== undefined && sequence > known.historyFloor) historyFloor.push({ keyspace, sequence });
      return sequence;
    };
    for (const keyspace of this.#used) if (this.#windows.has(keyspace)) store(keyspace);
    const used = new Set(this.#used);
    this.#used.clear();
    // Of the others some in turn: of ten thousand an edit would say nothing else.
    for (let left = Math.min(STORED_IN_TURN, this.#windows.size); left > 0; left--) {
      const next = this.#turn.next();
      if (next.done === true) {
        if (Number.isFinite(this.#oldest)) this.#marks.forget(this.#oldest);
        this.#oldest = Number.POSITIVE_INFINITY;
        this.#turn = this.#windows.keys();
        continue;
      }
      const sequence = used.has(next.value) ? this.startOf(next.value)!.sequence : store(next.value);
      this.#oldest = Math.min(this.#oldest, sequence);
    }
    const timeMarks = this.#marks.take();
    return {
      ...(timeMarks.length > 0 && { timeMarks }),
      ...(historyFloor.length > 0 && { historyFloor }),
    };
  }

  /**
   * What has to be written so that the keyspace keeps this much from now on; undefined when it does. What it keeps already by
   * time stays readable when it goes on to keep by time.
   */
  changeTo(tree: Tree, { ms = 0, versions = 0 }: RetentionOption): RetentionChange | undefined {
    const core = this.#core;
    const before = this.retentionOf(tree.id);
    if ((before.ms === ms && before.versions === versions) || core.options.readOnly) return undefined;
    // What was dropped already stays so: the start does not go back, neither its sequence nor its time.
    const start = this.startOf(tree.id) ?? this.#now();
    const since = start.time;
    const floor = start.sequence;
    const { visible } = core.state;
    // Nothing was written to one that was made just now.
    const isNew = visible === tree.record.createdSequence;
    const counted = isNew
      ? ALL_COUNTED
      : countedAfter(this.#countedOf(tree.id), before.versions, versions, visible);
    return { change: 'retain', id: tree.id, ms, versions, since, floor, counted };
  }

  /** It is in the log, at the sequence that is visible now. */
  retain({ id, ms, versions, since, floor, counted }: RetentionChange): void {
    this.#set(id, { ms, versions, since }, counted, floor);
    // States from here on are asked for by time.
    this.note();
  }

  forget(keyspace: number): void {
    this.#retentions.delete(keyspace);
    this.#counted.delete(keyspace);
    this.#windows.delete(keyspace);
    this.#marks.isKept = this.#windows.size > 0;
  }

  at(target: PastTarget | 'now'): PastState {
    const { state, register, options } = this.#core;
    state.checkOpen();
    if (options.readOnly) {
      const message =
        'a read-only database does not read the past: who writes it does not know of its readers';
      throw invalid('NOT_SUPPORTED_YET', message, { method: 'at' });
    }
    const now = this.#now();
    this.#marks.sample(now.time, now.sequence);
    const starts = new Map<number, ReadPoint>();
    for (const [id, window] of this.#windows) starts.set(id, window.advance(now, this.#marks));
    const past = { ...this.#pointOf(target, now), target, now, starts };
    checkPastOfAny(past);
    register.addPast(past.sequence, past.time);
    return past;
  }

  keptOf(keyspace: number): KeptVersions {
    const { register, options } = this.#core;
    const start = options.readOnly ? undefined : this.startOf(keyspace);
    if (start !== undefined) register.addPast(start.sequence, start.time);
    return { start, versions: this.versionsOf(keyspace), counted: this.#countedOf(keyspace) };
  }

  /** Other threads may have committed something since the last mark. */
  note(): void {
    const { sequence, time } = this.#now();
    this.#marks.sample(time, sequence);
  }

  timesOf(sequences: readonly number[], noted: number): (number | undefined)[] {
    const marks = this.#marks;
    return sequences.map((sequence) =>
      sequence > noted ? marks.timeOf(sequence) : marks.knownTimeOf(sequence),
    );
  }

  latestTimesOf(sequences: readonly number[]): (number | undefined)[] {
    return sequences.map((sequence) => this.#marks.timeOf(sequence));
  }

  #now(): ReadPoint {
    const { state } = this.#core;
    return { sequence: state.visible, time: state.time.now() };
  }

  #pointOf(target: PastTarget | 'now', now: ReadPoint): ReadPoint {
    if (target === 'now') return now;
    if (typeof target === 'number')
      return { sequence: target, time: Math.min(this.#marks.timeOf(target) ?? now.time, now.time) };
    const time = target.getTime();
    if (time === now.time) return now;
    return { sequence: this.#marks.at(time)?.sequence ?? 0, time };
  }

  #countedOf(keyspace: number): Counted {
    return this.#counted.get(keyspace) ?? ALL_COUNTED;
  }

  #set(keyspace: number, retention: Retention, counted: Counted, floor: number): void {
    this.#retentions.set(keyspace, retention);
    this.#counted.set(keyspace, counted);
    if (retention.ms > 0) this.#windows.set(keyspace, new HistoryWindow(retention, floor));
    else this.#windows.delete(keyspace);
    this.#marks.isKept = this.#windows.size > 0;
  }
}
