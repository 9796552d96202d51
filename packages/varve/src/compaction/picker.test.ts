/**
 * Plays the golden files of testdata/ (their form: test/golden.ts and picker.suite.ts):
 *
 *   version        the lines that follow become the version, nothing runs
 *   scores         every level with its score and target
 *   pick leveled   the plan of a strategy, at now=0 or another time; with `start` it runs from then on
 *   expired time=150   the plan that reclaims what has expired, with history from floor= on; with `start` likewise
 *   manual level=1 from=a to=m   the plan for a range, `nothing` or `busy`; with `start` likewise
 *   care           what defragmentation wants, of files up to newest time now=, readers from reader= on; with `start` likewise
 *   finish 0       installs the plan that was started first; a merge has its outputs on the lines that follow
 * Settings are options of `scores`, `pick` and `manual`; `detail` adds what the outputs depend on.
 */
import { expect, test } from 'vitest';
import { runGolden, type GoldenProgram } from '../../test/golden.ts';
import { bytesOfText } from '../manifest/samples.suite.ts';
import { applyEdit, emptyVersion, type KeyspaceVersion } from '../manifest/version.ts';
import {
  formatKeyspace,
  formatPlan,
  formatSize,
  formatSurroundings,
  liveShares,
  parseFile,
  parseKeyspace,
  parseSettings,
} from './picker.suite.ts';
import { pickCare } from './picker-care.ts';
import { levelScores, levelShape } from './picker-leveled.ts';
import { pickExpired } from './picker-expired.ts';
import { pickManual, resumeAfter } from './picker-manual.ts';
import { type CompactionPlan, editOf } from './plan.ts';
import { brokenRule } from './plan-rules.ts';
import { RunningSet } from './running-set.ts';
import { leveledSettings, pickCompaction } from './strategy.ts';

function pickerProgram(): GoldenProgram {
  let keyspace: KeyspaceVersion = parseKeyspace([]);
  let running = new RunningSet();
  let plans: CompactionPlan[] = [];

  const report = (plan: CompactionPlan | string | undefined, words: readonly string[]): string => {
    if (plan === undefined || typeof plan === 'string') return plan ?? 'nothing';
    if (words.includes('start')) {
      running.add(plan);
      plans.push(plan);
    }
    return words.includes('detail') ? `${formatPlan(plan)}\n${formatSurroundings(plan)}` : formatPlan(plan);
  };
  const scores = (options: Readonly<Record<string, string>>): string => {
    const settings = leveledSettings(parseSettings('leveled', options));
    const { baseLevel, targets } = levelShape(keyspace, settings);
    const lines = levelScores(keyspace, running, settings)
      .filter(({ level, score }) => score > 0 || level >= baseLevel)
      .map(
        ({ level, score }) =>
          `L${level} ${score.toFixed(2)}${level === 0 ? '' : ` of ${formatSize(targets[level]!)}`}`,
      );
    return [`base L${baseLevel}`, ...lines].join('\n');
  };
  const finish = (index: number, outputs: readonly string[]): string => {
    const [plan] = plans.splice(index, 1);
    if (plan === undefined) throw new Error(`no plan ${index} is running`);
    const version = { ...emptyVersion(), keyspaces: new Map([[1, keyspace]]) };
    const files = outputs.flatMap((line) => line.split(' ')).map(parseFile);
    keyspace = applyEdit(version, editOf(1, plan, files)).keyspaces.get(1)!;
    running.remove(plan);
    return formatKeyspace(keyspace);
  };

  return ({ name, words, options, input }) => {
    if (name === 'version') {
      keyspace = parseKeyspace(input);
      running = new RunningSet();
      plans = [];
      return 'ok';
    }
    if (name === 'scores') return scores(options);
    if (name === 'pick') {
      const [strategy, ...rest] = words;
      const plan = pickCompaction(
        keyspace,
        running,
        parseSettings(strategy!, options),
        Number(options['now'] ?? 0),
      );
      const broken = plan === undefined ? undefined : brokenRule(keyspace, plan);
      return broken ?? report(plan, rest);
    }
    if (name === 'expired') {
      const plan = pickExpired(keyspace, running, leveledSettings(parseSettings('leveled', options)), {
        time: Number(options['time']),
        floor: Number(options['floor'] ?? Number.POSITIVE_INFINITY),
      });
      const broken = plan === undefined ? undefined : brokenRule(keyspace, plan);
      return broken ?? report(plan, words);
    }
    if (name === 'care') {
      const now = Number(options['now'] ?? Number.POSITIVE_INFINITY);
      const plan = pickCare(keyspace, running, leveledSettings(parseSettings('leveled', options)), {
        liveRatio: Number(options['liveRatio'] ?? 0.4),
        filesMax: Number(options['filesMax'] ?? 8),
        isSettled: (file) => (file.newestTime ?? 0) <= now,
        liveOf: (file) => liveShares.get(file),
        oldestReader: Number(options['reader'] ?? Number.POSITIVE_INFINITY),
      });
      const broken = plan === undefined ? undefined : brokenRule(keyspace, plan);
      return broken ?? report(plan, words);
    }
    if (name === 'finish') return finish(Number(words[0]), input);
    if (name !== 'manual') throw new Error(`unknown command ${name}`);
    const range = {
      level: Number(options['level']),
      from: bytesOfText(options['from'] ?? ''),
      to: options['to'] === undefined ? undefined : bytesOfText(options['to']),
    };
    const settings = leveledSettings(parseSettings('leveled', options));
    const plan = pickManual(keyspace, running, settings, range);
    const line = report(plan, words);
    if (typeof plan === 'string' || !words.includes('resume')) return line;
    const next = resumeAfter(plan);
    return `${line}\nresume at ${next === undefined ? 'the end' : JSON.stringify(new TextDecoder().decode(next))}`;
  };
}

test.each([
  'expired',
  'leveled-l0',
  'leveled-levels',
  'leveled-shape',
  'leveled-move',
  'leveled-parallel',
  'tiered',
  'hybrid',
  'fifo',
  'manual',
  'care',
])('the picker answers as %s.txt says', (name) => {
  const { expected, actual } = runGolden(new URL(`testdata/${name}.txt`, import.meta.url), pickerProgram());
  expect(actual).toBe(expected);
});
