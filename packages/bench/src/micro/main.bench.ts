/**
 * Runs the micro benches of structures.bench.ts from the sources: `npm run bench -- micro [name]`. A name stands for all
 * that begin with it. The studies of studies.bench.ts run when they are named. Started by micro.ts, since `varve/internals` resolves only under the condition `varve-source`.
 */
import { parseArgs } from 'node:util';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Bench } from 'tinybench';
import { formatCount } from '../format.ts';
import { nearestName } from '../nearest.ts';
import { claimDirectory } from '../own-directory.ts';
import { micros } from './structures.bench.ts';
import { type Study, studies } from './studies.bench.ts';

const TIME_MS = 500;
const ROUNDS = 7;
const NAME_WIDTH = 26;

const { values, positionals } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    time: { type: 'string', default: String(TIME_MS) },
    rounds: { type: 'string', default: String(ROUNDS) },
    db: { type: 'string', default: 'data/bench-micro' },
  },
  allowPositionals: true,
});
const chosenStudies = studies.filter(({ name }) => positionals.some((start) => name.startsWith(start)));
const chosen = micros.filter(
  ({ name }) => positionals.length === 0 || positionals.some((start) => name.startsWith(start)),
);
if (values.help) {
  console.log(
    `npm run bench -- micro [name] [--time MS]
npm run bench -- micro study-... [--rounds N] [--db DIR]

${micros.map(({ name }) => `  ${name}`).join('\n')}
${studies.map(({ name, summary }) => `  ${name.padEnd(NAME_WIDTH)}${summary}`).join('\n')}`,
  );
} else if (chosenStudies.length > 0) {
  for (const study of chosenStudies) await runStudy(study, Number(values.rounds), resolve(values.db));
} else if (chosen.length === 0) {
  const nearest = nearestName(
    positionals[0]!,
    [...micros, ...studies].map(({ name }) => name),
  );
  console.error(
    `bench: no micro bench begins with "${positionals[0]}".${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`,
  );
  process.exitCode = 2;
} else {
  let used = 0;
  console.log(
    `${'micro'.padEnd(NAME_WIDTH)}${['ns/op', 'p50', 'p99', 'ops/s'].map((title) => title.padStart(13)).join('')}`,
  );
  for (const { name, operations, prepare } of chosen) {
    const call = prepare();
    const bench = new Bench({ time: Number(values.time) }).add(name, () => {
      used += call();
    });
    const [task] = await bench.run();
    const result = task?.result;
    if (result === undefined || !('latency' in result))
      throw new Error(`${name} gave no result`, { cause: result });
    const ns = (ms: number): string => ((ms * 1e6) / operations).toFixed(1);
    const { mean, p50, p99 } = result.latency;
    const cells = [ns(mean), ns(p50), ns(p99), formatCount((1000 / mean) * operations)];
    console.log(`${name.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(13)).join('')}`);
  }
  if (Number.isNaN(used)) console.log('');
}

async function runStudy({ name, run }: Study, rounds: number, db: string): Promise<void> {
  claimDirectory(db, 'bench-micro');
  const directory = mkdtempSync(join(db, 'study-'));
  console.log(`${name}:`);
  try {
    await run({ rounds, directory, say: (line) => console.log(line) });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
