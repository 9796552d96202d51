/**
 * `db.compact()`: moves a range, a keyspace or everything down to the last level and rewrites what lies there, so that
 * old versions, deletes and what they hid are gone when it resolves. One plan at a time beside what runs anyway.
 */
import { compareBytes, EMPTY } from '../base/bytes.ts';
import { invalid, VarveError } from '../base/errors.ts';
import { pickManual, resumeAfter } from '../compaction/picker-manual.ts';
import { LEVELS } from '../manifest/version-edit.ts';
import type { Range } from './api-types.ts';
import { encodeRange } from './bounds.ts';
import { bytes } from './codecs/bytes.ts';
import { encodeKey, keyPrefixEnd } from './codecs/codec.ts';
import { compactionRefused, leveledSettings } from './compaction-runner.ts';
import type { Core } from './core.ts';
import type { KeyRange } from './scan.ts';
import type { Tree } from './tree.ts';

export interface CompactOptions {
  keyspace?: string;
  range?: Range<Uint8Array>;
  signal?: AbortSignal;
}

const members = new Set(['keyspace', 'range', 'signal']);

export async function compactDatabase(core: Core, options: CompactOptions): Promise<void> {
  const unknown = Object.keys(options).find((name) => !members.has(name));
  if (unknown !== undefined) {
    throw invalid('OPTION_INVALID', `compact has no option '${unknown}'`, {
      got: unknown,
      wanted: [...members],
    });
  }
  if (options.range !== undefined && options.keyspace === undefined) {
    throw invalid('OPTION_INVALID', 'a range to compact needs its keyspace', { option: 'range' });
  }
  const trees = [...core.state.trees.values()].filter(
    (tree) => options.keyspace === undefined || tree.name === options.keyspace,
  );
  if (trees.length === 0 && options.keyspace !== undefined) {
    throw invalid('KEYSPACE_NOT_FOUND', `there is no keyspace '${options.keyspace}'`, {
      got: options.keyspace,
    });
  }
  const range = encodeRange(
    options.range ?? {},
    (key) => encodeKey(bytes, key),
    (key) => keyPrefixEnd(bytes, key),
  );
  core.runner.hold();
  try {
    await core.background.flush();
    for (const tree of trees) await compactTree(core, tree, range, options.signal);
  } finally {
    core.runner.unhold();
  }
}

async function compactTree(
  core: Core,
  tree: Tree,
  range: KeyRange,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let level = 0; level < LEVELS; level++) {
    const isLast = level === LEVELS - 1;
    let from: Uint8Array | undefined = range.lower ?? EMPTY;
    while (from !== undefined) {
      check(core, tree, signal);
      // Whoever drops a keyspace while it is compacted has compacted it.
      if (tree.isDropped) return;
      if (range.upper !== undefined && compareBytes(from, range.upper) >= 0) break;
      if (core.background.compactions.isWaiting) {
        await core.background.compactions.change();
        continue;
      }
      const running = core.background.compactions.runningOf(tree);
      const plan = pickManual(tree.view.version, running, leveledSettings(tree), {
        level,
        from,
        to: range.upper,
      });
      if (plan === 'nothing') break;
      if (plan === 'busy') {
        await core.background.compactions.change();
        continue;
      }
      core.background.compactions.start(tree, plan);
      while (running.has(plan)) await core.background.compactions.change();
      checkFailure(core, tree);
      // The deepest level is rewritten in place: its files are still there afterwards, so the walk has to move on, but not
      // over what found the disk full.
      if (isLast && !core.background.compactions.isWaiting) from = resumeAfter(plan);
    }
  }
}

function check(core: Core, tree: Tree, signal: AbortSignal | undefined): void {
  core.state.checkOpen();
  core.poison.check();
  if (signal?.aborted === true) {
    throw new VarveError('busy', 'ABORTED', 'the compaction was aborted', {}, { cause: signal.reason });
  }
  checkFailure(core, tree);
}

function checkFailure(core: Core, tree: Tree): void {
  const failure = core.background.compactions.failureOf(tree);
  if (failure !== undefined) throw compactionRefused(tree, failure);
}
