/**
 * Runs the micro benches of structures.bench.ts from the sources: `npm run bench -- micro [name]`. A name stands for all
 * that begin with it. Started by micro.ts, since `varve/internals` resolves only under the condition `varve-source`.
 */
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { formatCount } from '../format.ts';
import { nearestName } from '../nearest.ts';
import { micros } from './structures.bench.ts';

const TIME_MS = 500;
const NAME_WIDTH = 26;

const { values, positionals } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    time: { type: 'string', default: String(TIME_MS) },
  },
  allowPositionals: true,
});
const chosen = micros.filter(
  ({ name }) => positionals.length === 0 || positionals.some((start) => name.startsWith(start)),
);
if (values.help) {
  console.log(
    `npm run bench -- micro [name] [--time MS]\n\n${micros.map(({ name }) => `  ${name}`).join('\n')}`,
  );
} else if (chosen.length === 0) {
  const nearest = nearestName(
    positionals[0]!,
    micros.map(({ name }) => name),
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
