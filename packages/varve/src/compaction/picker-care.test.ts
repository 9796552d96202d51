import { expect, test } from 'vitest';
import { pickCare } from './picker-care.ts';
import { formatPlan, parseKeyspace, parseSettings } from './picker.suite.ts';
import { leveledSettings } from './strategy.ts';
import { brokenRule } from './plan-rules.ts';
import { RunningSet } from './running-set.ts';

test('a table of level 0 with little live data goes down with all that it overlaps there', () => {
  const keyspace = parseKeyspace(['L0: 9[a-z] 8[a-m] 7[c-z]', 'L6: 3[n-p]']);
  const facts = {
    liveRatio: 0.4,
    filesMax: 8,
    isSettled: () => true,
    liveOf: ({ number }: { number: number }) => (number === 8 ? 0.1 : 1),
    oldestReader: Number.POSITIVE_INFINITY,
  };
  const plan = pickCare(keyspace, new RunningSet(), leveledSettings(parseSettings('leveled', {})), facts)!;
  expect(formatPlan(plan)).toBe('merge L0[7 8 9] + L6[3] -> L6  reason=live-ratio score=0.90');
  expect(brokenRule(keyspace, plan)).toBeUndefined();
});
