/**
 * `npm run sim -- --seconds 60` explores fresh seeds; `--seed N` replays one; `--seeds N --from M` runs a fixed set.
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
  },
});

const started = performance.now();
const from = Number(values.seed ?? values.from ?? Math.floor(Math.random() * 2 ** 31));
const count = values.seed !== undefined ? 1 : values.seeds === undefined ? Number.POSITIVE_INFINITY : Number(values.seeds);
const limitMs = values.seconds === undefined ? (count === Number.POSITIVE_INFINITY ? 60_000 : Infinity) : Number(values.seconds) * 1000;
if (![from, count].every((value) => value >= 0) || Number.isNaN(limitMs)) {
  console.error('usage: npm run sim -- [--seconds S] [--seed N] [--seeds COUNT --from FIRST]');
  process.exit(2);
}

let done = 0;
let lives = 0;
let operations = 0;
let failed = 0;
for (let seed = from; done < count && performance.now() - started < limitMs; seed++) {
  try {
    const result = await simulate(seed);
    lives += result.lives;
    operations += result.operations;
  } catch (error) {
    failed++;
    console.error(`seed ${seed} failed: ${error instanceof Error ? error.stack : String(error)}`);
    console.error(`replay it with: npm run sim -- --seed ${seed}\n`);
  }
  done++;
}
const seconds = (performance.now() - started) / 1000;
console.log(
  `${done} seeds from ${from}: ${done - failed} passed, ${failed} failed; ` +
    `${lives} lives, ${operations} disk operations in ${seconds.toFixed(1)} s`,
);
process.exitCode = failed === 0 ? 0 : 1;
