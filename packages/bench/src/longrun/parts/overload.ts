/**
 * A writer that is faster than the disk, for each kind of pressure: what memory, awaited writes and synchronous writes do
 * then, and whether the database is whole afterwards. Compaction is kept slow by settings, so that a fast disk is too slow
 * as well: a rate, few files in level 0, a small level 1.
 */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { type DatabaseOptions, type KeyspaceSettings, VarveError } from 'varve';
import { formatBytes, formatCount } from '../../format.ts';
import { KeyBuffer } from '../../keys.ts';
import { atMost, type Figure, milliseconds } from '../../large/figures.ts';
import { Random } from '../../random.ts';
import { ValuePool } from '../../values.ts';
import { Resident, type ResidentBytes } from '../resident.ts';
import { memoryFigures } from '../memory-figure.ts';
import { AWAITED, type PressureName, type Sizes } from '../sizes.ts';
import { budgetBytes, openStage, type Stage } from '../stage.ts';

const VALUE_BYTES = 1_000;
const AWAITED_MS_MAX = 1_000;
const SYNC_WAIT_MS = 250;
/** What a look at the clock, a job's delivery and the scheduler add to a wait that has a limit. */
const SYNC_SLACK_MS = 50;
const AWAITED_AT_ONCE = 64;
const PUTS_AT_ONCE = 64;
/** So that the block cache fills as well. */
const GETS = 16;
/** Bytes a second, less than the writer alone writes. */
const COMPACTION_RATE = 48e6;
const WARM_UP_SHARE = 0.05;
const LOOK_MS = 100;
/** A writer that was refused tries again so much later. */
const RETRY_MS = 1;

/** Memtables that are a small part of the budget, few files in level 0, a small level 1: much to compact. */
function slowToCompact({ memtableBytes }: Sizes): KeyspaceSettings {
  const small = memtableBytes / 8;
  return {
    memtableBytes: small,
    tableBytes: small / 2,
    compaction: { strategy: 'leveled', level0Files: 2, level1Bytes: 2 * small },
  };
}

export interface Overloaded {
  readonly pressure: PressureName;
  readonly resident: ResidentBytes;
  readonly budgetBytes: number;
  readonly awaitedMsMax: number;
  readonly syncMsMax: number;
  readonly awaited: number;
  readonly puts: number;
  readonly refused: number;
  readonly level0FilesMax: number;
  readonly stats: { readonly delayed: number; readonly blocked: number; readonly failed: number };
  /** What verify found after the database was opened again. */
  readonly problems: number;
}

/** One kind of pressure, in a process of its own. */
export async function overload(path: string, sizes: Sizes, pressure: PressureName): Promise<Overloaded> {
  const resident = new Resident();
  const options: DatabaseOptions = {
    pressure,
    workers: 1,
    syncWaitMsMax: SYNC_WAIT_MS,
    compactionRate: COMPACTION_RATE,
  };
  const stage = await openStage(path, sizes, options, slowToCompact(sizes));
  const { db } = stage;
  await writeUntil(stage, sizes, performance.now() + WARM_UP_SHARE * sizes.overloadMs);
  await db.compact();
  resident.warmedUp(db);
  let level0FilesMax = 0;
  const timer = setInterval(() => {
    resident.look(db);
    level0FilesMax = Math.max(level0FilesMax, db.stats().keyspaces['bench']!.levels[0]!.files);
  }, LOOK_MS);
  const seen = await writeUntil(stage, sizes, performance.now() + sizes.overloadMs);
  clearInterval(timer);
  resident.look(db);
  const { delayed, blocked, failed } = db.stats().pressure;
  await db.close();
  return {
    pressure,
    resident: resident.bytes,
    budgetBytes: budgetBytes(sizes),
    ...seen,
    level0FilesMax,
    stats: { delayed, blocked, failed },
    problems: await problemsOf(path, sizes),
  };
}

type Seen = Pick<Overloaded, 'awaitedMsMax' | 'syncMsMax' | 'awaited' | 'puts' | 'refused'>;

async function writeUntil({ keyspace }: Stage, { keySize, seed, keys }: Sizes, end: number): Promise<Seen> {
  const random = new Random(seed);
  const values = new ValuePool(VALUE_BYTES, random);
  const key = new KeyBuffer(keySize);
  const seen = { awaitedMsMax: 0, syncMsMax: 0, awaited: 0, puts: 0, refused: 0 };
  const refused = (error: unknown): void => {
    if (!(error instanceof VarveError) || error.kind !== 'busy') throw error;
    seen.refused++;
  };
  const putAwaited = async (): Promise<void> => {
    key.set(random.below(keys));
    const before = performance.now();
    try {
      await keyspace.put(key.bytes, values.next(), AWAITED);
      seen.awaited++;
    } catch (error) {
      refused(error);
    }
    seen.awaitedMsMax = Math.max(seen.awaitedMsMax, performance.now() - before);
  };
  do {
    const refusedBefore = seen.refused;
    await Promise.all(Array.from({ length: AWAITED_AT_ONCE }, putAwaited));
    for (let i = 0; i < PUTS_AT_ONCE; i++) {
      key.set(random.below(keys));
      const before = performance.now();
      try {
        keyspace.put(key.bytes, values.next());
        seen.puts++;
      } catch (error) {
        refused(error);
      }
      seen.syncMsMax = Math.max(seen.syncMsMax, performance.now() - before);
      if (seen.refused > refusedBefore) break;
    }
    for (let i = 0; i < GETS; i++) {
      key.set(random.below(keys));
      keyspace.get(key.bytes);
    }
    if (seen.refused > refusedBefore) await sleep(RETRY_MS);
    else await turn();
  } while (performance.now() < end);
  return seen;
}

async function problemsOf(path: string, sizes: Sizes): Promise<number> {
  const { db } = await openStage(path, sizes);
  const { problems } = await db.verify({ full: true });
  await db.close();
  return problems.length;
}

export function overloadFigures(measured: Overloaded): Figure[] {
  const { pressure, resident, awaitedMsMax, syncMsMax } = measured;
  const { awaited, puts, refused, level0FilesMax, stats, problems } = measured;
  const name = `overload, ${pressure}`;
  return [
    ...memoryFigures(name, resident, measured.budgetBytes, [
      `${formatCount(awaited)} awaited writes, ${formatCount(puts)} others, ${formatCount(refused)} refused; ` +
        `delayed ${formatCount(stats.delayed)}, blocked ${formatCount(stats.blocked)}, failed ${formatCount(stats.failed)}; at most ${level0FilesMax} files in level 0`,
      `compactions held to ${formatBytes(COMPACTION_RATE)} a second`,
    ]),
    atMost(`${name}: longest awaited write`, AWAITED_MS_MAX, awaitedMsMax, milliseconds),
    atMost(`${name}: longest synchronous write`, SYNC_WAIT_MS + SYNC_SLACK_MS, syncMsMax, milliseconds, [
      `syncWaitMsMax ${SYNC_WAIT_MS} ms, and ${SYNC_SLACK_MS} ms for clock and scheduler`,
    ]),
    atMost(`${name}: problems found after reopening`, 0, problems, String),
  ];
}
