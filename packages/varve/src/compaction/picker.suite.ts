/**
 * The text form of versions and plans, for golden tests and for messages of the property test.
 *
 *   L0: 8[c-k] 7[a-f)=20M~@90%30  number, keys (`)` for an exclusive end), size (default 8M), `~` for one delete among its ten
 *       entries (`~6` for six, `~r` for a range tombstone), `@` newest time, `%` estimated live share in percent
 *   L1: 3[a-d]^4:100-199       of its 10 entries 4 expire, between 100 and 199
 *   merge L0[7 8] + L1[3 4] -> L1  reason=level0-files score=1.00
 */
import { sampleFile, sampleKeyspace } from '../manifest/samples.suite.ts';
import { emptyKeyspace, applyEdit, emptyVersion, type KeyspaceVersion } from '../manifest/version.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import {
  type CompactionStrategyName,
  resolveCompaction,
  strategySettings,
} from '../options/compaction-settings.ts';
import type { CompactionPlan } from './plan.ts';
import type { PickerSettings } from './strategy.ts';

const MIB = 1024 * 1024;
const units: Readonly<Record<string, number>> = { '': 1, K: 1024, M: MIB, G: 1024 * MIB };

export function parseSize(text: string): number {
  const match = /^(\d+)([KMG]?)$/.exec(text);
  if (match === null) throw new Error(`not a size: ${text}`);
  return Number(match[1]) * units[match[2]!]!;
}

export function formatSize(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return 'any';
  const unit = ['G', 'M', 'K'].find((each) => bytes >= units[each]!) ?? '';
  return `${Number((bytes / units[unit]!).toFixed(1))}${unit}`;
}

/** Live shares of files that were parsed with one. */
export const liveShares: WeakMap<FileMeta, number> = new WeakMap();

export function parseFile(text: string): FileMeta {
  const match =
    /^(\d+)\[([^-]*)-([^\])]*)([\])])(?:=(\w+))?(~(?:\d+|r)?)?(?:@(\d+))?(?:%(\d+))?(?:\^(\d+):(\d+)-(\d+))?$/.exec(
      text,
    );
  if (match === null) throw new Error(`not a file: ${text}`);
  const [, number, smallest, largest, end, size, mark, time, live, expiring, earliest, latest] = match;
  const file = sampleFile(Number(number), smallest!, largest!, {
    largestExclusive: end === ')',
    bytes: parseSize(size ?? '8M'),
    tombstones: mark === undefined || mark === '~r' ? 0 : Number(mark.slice(1) || 1),
    rangeTombstones: mark === '~r' ? 1 : 0,
    ...(time !== undefined && { newestTime: Number(time) }),
    ...(expiring !== undefined && {
      expiry: {
        expiring: Number(expiring),
        earliestExpiry: Number(earliest),
        latestExpiry: Number(latest),
      },
    }),
  });
  if (live !== undefined) liveShares.set(file, Number(live) / 100);
  return file;
}

export function parseKeyspace(lines: readonly string[]): KeyspaceVersion {
  const addedFiles = lines.flatMap((line) => {
    const [, level, files] = /^L(\d): *(.*)$/.exec(line) ?? [];
    if (files === undefined) throw new Error(`not a level: ${line}`);
    return files
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => ({ keyspace: 1, level: Number(level), file: parseFile(word) }));
  });
  if (addedFiles.length === 0) return emptyKeyspace(sampleKeyspace(1));
  return applyEdit(emptyVersion(), { keyspacesCreated: [sampleKeyspace(1)], addedFiles }).keyspaces.get(1)!;
}

export function formatKeyspace(keyspace: KeyspaceVersion): string {
  const lines = keyspace.levels.flatMap((files, level) =>
    files.length === 0 ? [] : [`L${level}: ${files.map(formatFile).join(' ')}`],
  );
  return lines.length === 0 ? 'empty' : lines.join('\n');
}

function formatFile(file: FileMeta): string {
  const decode = (key: Uint8Array): string => new TextDecoder().decode(key);
  const size = file.bytes === 8 * MIB ? '' : `=${formatSize(file.bytes)}`;
  const deletes = file.tombstones > 1 ? `~${file.tombstones}` : '~';
  const mark = file.rangeTombstones > 0 ? '~r' : file.tombstones > 0 ? deletes : '';
  const end = file.largestExclusive ? ')' : ']';
  const time = file.newestTime === undefined ? '' : `@${file.newestTime}`;
  const share = liveShares.get(file);
  const live = share === undefined ? '' : `%${Math.round(share * 100)}`;
  return `${file.number}[${decode(file.smallestKey)}-${decode(file.largestKey)}${end}${size}${mark}${time}${live}`;
}

/** Files by number within a level, so that a line reads the same whatever the order of the level is. */
function formatFiles(level: number, files: readonly FileMeta[]): string {
  const numbers = files.map((file) => file.number).sort((a, b) => a - b);
  return `L${level}[${numbers.join(' ')}]`;
}

export function formatPlan(plan: CompactionPlan): string {
  const inputs = plan.inputs.map(({ level, files }) => formatFiles(level, files)).join(' + ');
  const score = plan.score === 0 ? '' : ` score=${plan.score.toFixed(2)}`;
  return `${plan.kind} ${inputs} -> L${plan.outputLevel}  reason=${plan.reason}${score}`;
}

/** What the outputs depend on beside the inputs. */
export function formatSurroundings(plan: CompactionPlan): string {
  const list = (files: readonly FileMeta[]): string => `[${files.map((file) => file.number).join(' ')}]`;
  const tables = `tables=${formatSize(plan.tableBytesMax)} depth=${plan.depth}`;
  return `${tables} grandparents=${list(plan.grandparents)} below=${list(plan.below)}`;
}

/** The engine's defaults for a strategy, with what the options of a golden command change. */
export function parseSettings(strategy: string, options: Readonly<Record<string, string>>): PickerSettings {
  const tableBytes = parseSize(options['tableBytes'] ?? '8M');
  const own = Object.keys(strategySettings[strategy as CompactionStrategyName])
    .filter((name) => options[name] !== undefined)
    .map((name) => [
      name,
      name.endsWith('Bytes') || name === 'bytesMax' ? parseSize(options[name]!) : Number(options[name]),
    ]);
  return {
    compaction: resolveCompaction({
      strategy: strategy as CompactionStrategyName,
      ...Object.fromEntries(own),
    }),
    levelRatio: Number(options['levelRatio'] ?? '10'),
    tableBytes: (depth) => Math.min(tableBytes * 2 ** (depth - 1), Math.max(tableBytes, 64 * MIB)),
  };
}
