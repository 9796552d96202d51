/**
 * The history that a killed writer leaves: what every sequence does follows from (seed, epoch, sequence) alone, so that the
 * parent can compute what the database has to hold at any sequence, without having seen a single write.
 *
 * An epoch is one life of the writer. A sequence that was lost in a crash is given out again in a later epoch with other
 * content: bytes of the lost one that come back would show.
 */
import type { KeyspaceSettings } from 'varve';
import { Random } from 'varve/testing';
import type { Change } from '../model.ts';
import type { Step } from '../steps.ts';

/** Keyspaces that live as long as the database, in the order of their creation; the last is hardly ever written to. */
const lasting = ['orders', 'users', 'events', 'idle'] as const;
/** A keyspace that comes and goes. */
const passing = 'session';
const PASSING_PERIOD = 311;
const PASSING_LENGTH = 200;

/** Keys that are ever written are `keyText` of a lower number. */
export const KEYS = 3000;
const KIB = 1024;

export function stepAt(seed: number, epoch: number, sequence: number): Step {
  const created = lasting[sequence - 1];
  if (created !== undefined) return { kind: 'create', keyspace: created };
  const phase = sequence < PASSING_PERIOD ? PASSING_LENGTH + 1 : sequence % PASSING_PERIOD;
  if (phase === 0) return { kind: 'create', keyspace: passing };
  if (phase === PASSING_LENGTH) return { kind: 'drop', keyspace: passing };
  const random = new Random(seed ^ Math.imul(epoch, 0x9e3779b1) ^ Math.imul(sequence, 0x85ebca6b));
  const changes: Change[] = [];
  const count = random.pick([1, 1, 1, 1, 1, 2, 3, 8, 30]);
  // In some lives many records are so large that the system is likely to be killed in the middle of writing one.
  if (count === 1 && epoch % 6 === 0 && random.oneIn(3)) {
    const value = `${epoch}.${sequence}:${'large'.repeat(200 * KIB + random.below(400 * KIB))}`;
    return {
      kind: 'batch',
      changes: [{ kind: 'put', keyspace: 'events', key: keyText(random.below(4)), value }],
    };
  }
  while (changes.length < count) {
    changes.push(
      changeOf(random, keyspaceOf(random, phase < PASSING_LENGTH), `${epoch}.${sequence}.${changes.length}`),
    );
  }
  return { kind: 'batch', changes };
}

function keyspaceOf(random: Random, passingIsThere: boolean): string {
  const roll = random.below(1000);
  if (roll < 2) return 'idle';
  if (roll < 100 && passingIsThere) return passing;
  return roll < 500 ? 'orders' : roll < 800 ? 'users' : 'events';
}

function changeOf(random: Random, keyspace: string, mark: string): Change {
  const number = random.oneIn(3) ? random.below(50) : random.below(KEYS);
  const roll = random.below(100);
  if (roll < 3) {
    const width = random.oneIn(10) ? 600 : 1 + random.below(30);
    return { kind: 'deleteRange', keyspace, from: keyText(number), to: keyText(number + width) };
  }
  if (roll < 18) return { kind: 'delete', keyspace, key: keyText(number) };
  // To few keys, so that some are merged to often.
  if (roll < 40) return { kind: 'merge', keyspace, key: keyText(number % 300), operand: `+${mark}` };
  return { kind: 'put', keyspace, key: keyText(number), value: `${mark}:${filler(random)}` };
}

export function keyText(number: number): string {
  return `key/${String(number).padStart(6, '0')}`;
}

/** Mostly short; now and then as large as a log buffer, a log segment, or what bypasses both. Half of it compresses. */
function filler(random: Random): string {
  const roll = random.below(3000);
  const length =
    roll === 0
      ? 1100 * KIB
      : roll < 4
        ? random.below(200 * KIB)
        : roll < 100
          ? random.below(5 * KIB)
          : random.below(120);
  const noise = random.u32().toString(36) + random.u32().toString(36);
  return random.oneIn(2) ? noise.repeat(Math.ceil(length / noise.length)) : noise + '~'.repeat(length);
}

/** Settings of a keyspace in a life of the writer: sizes so small that a few hundred writes flush and compact. */
export function settingsOf(random: Random): KeyspaceSettings {
  return {
    memtableBytes: random.pick([64, 256, 1024]) * KIB,
    blockBytes: random.pick([512, 1024, 4096]),
    filterBitsPerKey: random.pick([0, 10]),
    compression: random.pick(['none', 'lz4', ['none', 'lz4']] as const),
    tableBytes: random.pick([32, 128]) * KIB,
    ...random.pick([{}, { blobValueBytes: 64 }, { blobValueBytes: 1000 }]),
    levelRatio: random.pick([2, 4]),
    compaction: { strategy: 'leveled', level0Files: random.pick([2, 4]), level1Bytes: 128 * KIB },
  };
}
