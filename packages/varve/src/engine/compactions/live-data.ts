/**
 * What is known of how much of each table is live. A table that a compaction has just written is known exactly when nothing
 * newer lies above it, and it has neither deletes nor versions that were kept for a snapshot: all of it is live. As newer
 * tables come to lie above one, what it can have lost is bounded by their entries; when that could be more than is wanted, a
 * sample is taken (compaction/live-sample-job.ts). Owner's thread.
 */
import type { LiveEstimate, LiveSampleInput } from '../../compaction/live-sample-job.ts';
import type { FileMeta } from '../../manifest/file-meta.ts';
import { filesOverlapping, type KeyspaceVersion } from '../../manifest/version.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import type { LiveKnowledge, Suspect } from './space-care.ts';

/** Another sample of a table is taken when the entries above it have grown by this share of its own. */
const GROWN_SHARE = 0.1;

interface Known {
  /** Undefined: it was looked at, and could not be read. */
  readonly estimate: LiveEstimate | undefined;
  /** Entries above it at the time. */
  readonly newerEntries: number;
}

export class LiveData implements LiveKnowledge {
  readonly #core: Core;
  readonly #known = new Map<number, Known>();

  constructor(core: Core) {
    this.#core = core;
  }

  of(file: FileMeta): LiveEstimate | undefined {
    return this.#known.get(file.number)?.estimate;
  }

  suspects(tree: Tree, liveRatio: number, isSettled: (file: FileMeta) => boolean): Suspect[] {
    const suspects: (Suspect & { readonly doubt: number })[] = [];
    const { version } = tree.view;
    for (const [level, files] of version.levels.entries()) {
      for (const file of files) {
        if (!isSettled(file) || file.entries === 0) continue;
        const newer = newerFiles(version, level, file);
        const newerEntries = newer.reduce((sum, each) => sum + weightOf(each, file), 0);
        const doubt = (newerEntries + file.tombstones) / file.entries;
        if (doubt < 1 - liveRatio) continue;
        const known = this.#known.get(file.number);
        if (known !== undefined && newerEntries - known.newerEntries < GROWN_SHARE * file.entries) continue;
        suspects.push({ tree, file, newer, newerEntries, doubt });
      }
    }
    return suspects.sort((a, b) => b.doubt - a.doubt);
  }

  async sample({ tree, file, newer, newerEntries }: Suspect): Promise<void> {
    const { runner, state } = this.#core;
    const input: LiveSampleInput = { directory: state.path, file, newer, seed: file.number };
    await new Promise<void>((resolve) => {
      runner.start({ lane: 'care', name: 'sample-live', input }, (outcome) => {
        // A table that went meanwhile has no estimate, a damaged one is found by whoever needs it: not looked at for ever.
        const estimate = outcome.ok ? (outcome.output as LiveEstimate) : undefined;
        if (!tree.isDropped && tree.view.version.levels.some((files) => files.includes(file))) {
          this.#known.set(file.number, { estimate, newerEntries });
        }
        resolve();
      });
    });
  }

  /** A compaction has written these files, of which the tree has a new version now, with one version of each key. */
  written(tree: Tree, level: number, files: readonly FileMeta[]): void {
    for (const file of files) {
      if (file.entries === 0 || file.tombstones + file.rangeTombstones > 0) continue;
      if (newerFiles(tree.view.version, level, file).length > 0) continue;
      this.#known.set(file.number, { estimate: { live: 1, error: 0 }, newerEntries: 0 });
    }
  }

  forget(numbers: readonly number[]): void {
    for (const number of numbers) this.#known.delete(number);
  }
}

/** Files in newer places that overlap the file, newest first. */
function newerFiles(version: KeyspaceVersion, level: number, file: FileMeta): readonly FileMeta[] {
  const newer: FileMeta[] = [];
  for (let above = 0; above < level; above++) newer.push(...filesOverlapping(version, above, file));
  if (level === 0) {
    const age = version.levels[0]!.indexOf(file);
    newer.push(
      ...filesOverlapping(version, 0, file).filter((each) => version.levels[0]!.indexOf(each) < age),
    );
  }
  return newer;
}

/** How many entries of `file` a newer file can replace: no more than it has, but a range tombstone may hide all. */
function weightOf(newer: FileMeta, file: FileMeta): number {
  return newer.rangeTombstones > 0 ? file.entries : Math.min(newer.entries, file.entries);
}
