/**
 * Bytes that flush and compaction write for random puts, beside db_bench with the same entries, memtables, levels, ratio,
 * tables and triggers, levels counted from the deepest in both, no compression. The log is left out of both.
 */
import type { DatabaseStats } from 'varve';
import {
  type SharedSizes,
  sharedFlags,
  isMissing,
  runDbBenchProcess,
} from '../../compare/db-bench-process.ts';
import { atMost, atMostRival, type Figure, times } from '../../large/figures.ts';
import { parseWritten } from '../../large/rocks-output.ts';
import { comeToRest } from '../../large/tasks/rest.ts';
import type { Sizes } from '../sizes.ts';
import { openStage, putAll } from '../stage.ts';

const AMPLIFICATION_MAX = 10;
const TABLE_BYTES = 8 * 2 ** 20;

export interface Amplified {
  readonly written: DatabaseStats['written'];
  readonly levels: readonly { readonly files: number; readonly bytes: number }[];
}

/** In the child process. */
export async function fillForWriteamp(path: string, sizes: Sizes): Promise<Amplified> {
  const { db, keyspace } = await openStage(path, sizes);
  await putAll(keyspace, sizes, sizes.puts, 'random');
  await comeToRest(db, sizes.restMs);
  const { written, keyspaces } = db.stats();
  await db.close();
  return { written, levels: keyspaces['bench']!.levels };
}

/** Bytes of tables that db_bench writes for the same; undefined: it is not there. */
export async function rivalBytes(
  path: string,
  sizes: Sizes,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    const output = await runDbBenchProcess(rivalFlags(path, sizes), signal);
    return parseWritten(output)?.tableBytes;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function rivalFlags(path: string, sizes: Sizes): string[] {
  const { puts, keySize, valueSize, cacheBytes, memtableBytes, seed } = sizes;
  const shared: SharedSizes = { num: puts, keySize, valueSize, cacheBytes, memtableBytes };
  return [
    '--benchmarks=fillrandom,flush,waitforcompaction,stats',
    `--db=${path}`,
    ...sharedFlags(shared),
    `--seed=${seed}`,
    `--target_file_size_base=${TABLE_BYTES}`,
    '--target_file_size_multiplier=2',
    '--max_bytes_for_level_multiplier=10',
    '--level0_file_num_compaction_trigger=4',
    '--level0_slowdown_writes_trigger=20',
    '--level0_stop_writes_trigger=36',
    '--level_compaction_dynamic_level_bytes=true',
  ];
}

export function writeampFigures(own: Amplified, rival: number | undefined, sizes: Sizes): Figure[] {
  const { written, levels } = own;
  const data = sizes.puts * (sizes.keySize + sizes.valueSize);
  const amplification = (written.flush + written.compaction) / data;
  const notes = [
    `flush ${times(written.flush / data)}, compaction ${times(written.compaction / data)}, log ${times(written.log / data)} beside it`,
    `files by level: ${levels.map(({ files }) => files).join(' ')}`,
  ];
  return [
    atMost('write amplification of random puts, leveled', AMPLIFICATION_MAX, amplification, times, notes),
    atMostRival(
      'the same beside db_bench',
      amplification,
      rival === undefined ? undefined : rival / data,
      times,
    ),
  ];
}
