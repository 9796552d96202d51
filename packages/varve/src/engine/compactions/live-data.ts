/**
 * What is known of how much of each table is live. A table that a compaction has just written is known exactly: what it
 * replaced is gone. As newer tables come to lie above one, what it can have lost is bounded by their entries; when that could
 * be more than is wanted, a sample is taken (compaction/live-sample-job.ts). Owner's thread.
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
  readonly estimate: LiveEstimate;
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

  async sample({ file, newer, newerEntries }: Suspect): Promise<void> {
    const { runner, state } = this.#core;
    const input: LiveSampleInput = { directory: state.path, file, newer, seed: file.number };
    await new Promise<void>((resolve) => {
      runner.start({ lane: 'care', name: 'sample-live', input }, (outcome) => {
        // A table that went meanwhile has no estimate, a damaged one is found by whoever needs it.
        if (outcome.ok)
          this.#known.set(file.number, { estimate: outcome.output as LiveEstimate, newerEntries });
        resolve();
      });
    });
  }

  /** A compaction has written these files: versions that were replaced among its inputs are not in them. */
  written(files: readonly FileMeta[]): void {
    for (const file of files) {
      const live = file.entries === 0 ? 0 : (file.entries - file.tombstones) / file.entries;
      this.#known.set(file.number, { estimate: { live, error: 0 }, newerEntries: 0 });
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
