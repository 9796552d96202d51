/** The checker sees each anomaly in a history made by hand; the engine shows none that it must not, and planted bugs do. */
import { describe, expect, test } from 'vitest';
import { PLANTED_MS, runPlanted } from '../planted/run-planted.ts';
import { anomaliesOf, forbidden } from './anomalies.ts';
import { checkIsolation } from './command.ts';
import { ABSENT, type Operation, type TransactionRecord } from './history.ts';
import { isolationBugs } from './planted-bugs.ts';

/** `r x 1.0` reads that version of x, `w x` writes one, `w! x` one that is replaced later. */
function transaction(id: number, committedAt: number | undefined, ...texts: string[]): TransactionRecord {
  let writes = 0;
  const operations = texts.map((text): Operation => {
    const [what, key, version] = text.split(' ');
    if (what === 'r') return { kind: 'read', key: key!, version: version! };
    return { kind: 'write', key: key!, version: `${id}.${writes++}`, isIntermediate: what === 'w!' };
  });
  return { id, operations, committedAt };
}

const names = (...transactions: TransactionRecord[]): string[] =>
  anomaliesOf({ seed: 0, transactions }).map(({ name }) => name);

describe('the checker', () => {
  test('finds nothing in transactions one after the other', () => {
    expect(
      names(
        transaction(1, 1, `r x ${ABSENT}`, 'w x'),
        transaction(2, 2, 'r x 1.0', 'w x', 'r x 2.0', 'w y'),
        transaction(3, 3, 'r y 2.1', `r z ${ABSENT}`),
      ),
    ).toEqual([]);
  });

  test('aborted and intermediate reads', () => {
    expect(names(transaction(1, undefined, 'w x'), transaction(2, 2, 'r x 1.0'))).toEqual(['G1a']);
    expect(names(transaction(1, 1, 'w! x', 'w x'), transaction(2, 2, 'r x 1.0'))).toEqual(['G1b']);
    expect(names(transaction(1, 1, 'r x 9.9'))).toEqual(['G1a']);
  });

  test('reads that do not agree with themselves', () => {
    expect(names(transaction(1, 1, 'w x', `r x ${ABSENT}`))).toContain('internal');
    expect(names(transaction(1, 1, `r x ${ABSENT}`, 'r x 2.0'), transaction(2, 2, 'w x'))).toContain(
      'internal',
    );
  });

  test('circular information flow', () => {
    expect(names(transaction(1, 1, 'w x', 'r y 2.0'), transaction(2, 2, 'w y', 'r x 1.0'))).toContain('G1c');
  });

  test('a lost update, read skew and write skew', () => {
    expect(
      names(transaction(1, 1, `r x ${ABSENT}`, 'w x'), transaction(2, 2, `r x ${ABSENT}`, 'w x')),
    ).toContain('lost update');
    expect(names(transaction(1, 1, 'w x', 'w y'), transaction(2, 2, `r x ${ABSENT}`, 'r y 1.1'))).toContain(
      'G-single',
    );
    const skew = [
      transaction(1, 1, `r x ${ABSENT}`, `r y ${ABSENT}`, 'w x'),
      transaction(2, 2, `r x ${ABSENT}`, `r y ${ABSENT}`, 'w y'),
    ];
    expect(names(...skew)).toEqual(['G2']);
    const anomalies = anomaliesOf({ seed: 0, transactions: skew });
    expect(forbidden(anomalies, 'snapshot')).toEqual([]);
    expect(forbidden(anomalies, 'serializable')).toEqual(anomalies);
  });

  test('two anti-dependencies that do not follow each other, which no snapshot explains', () => {
    // T1 -rw(a)-> T2 -wr(b)-> T3 -rw(c)-> T4 -wr(d)-> T1
    expect(
      names(
        transaction(2, 1, 'w a', 'w b'),
        transaction(4, 2, 'w c', 'w d'),
        transaction(1, 3, `r a ${ABSENT}`, 'r d 4.1', 'w e'),
        transaction(3, 4, 'r b 2.1', `r c ${ABSENT}`, 'w f'),
      ),
    ).toContain('G-nonadjacent');
  });

  test('a write cycle', () => {
    // Versions are ordered by commits, so one transaction that commits twice is what makes a cycle by hand.
    const first = transaction(1, 1, 'w x', 'w y');
    expect(names(first, transaction(2, 2, 'w x'), { ...first, committedAt: 3 })).toContain('G0');
  });
});

test('25 histories under each isolation show what they may and nothing else', async () => {
  const summary = await checkIsolation({ from: 1, count: 25, stopAtFailure: false, log: () => undefined });
  expect(summary.failed).toBe(0);
  expect(summary.skewed).toBeGreaterThan(0);
  expect(summary.conflicts).toBeGreaterThan(100);
});

const main = new URL('../main.ts', import.meta.url);
const command = ['isolation', '--from', '1', '--seeds', '40', '--stop'];

for (const bug of isolationBugs) {
  test(`it is found when ${bug.breaks}`, { timeout: PLANTED_MS }, async () => {
    const { code, output } = await runPlanted(main, command, bug.name);
    for (const { file } of bug.edits) expect(output).toContain(`planted in ${file}`);
    expect(output).toMatch(/history \d+ under (snapshot|serializable) failed/);
    expect(code).toBe(1);
  });
}
