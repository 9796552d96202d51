/**
 * `npm run sim -- interleave`, from the sources (command.ts starts it): checks the instances of all algorithms, or of those
 * named, and prints the simplest schedule of each failure. Exit code 0 when all held, 1 when one did not or was not searched
 * to the end, 2 for a wrong call.
 */
import { parseArgs } from 'node:util';
import { algorithms } from './algorithms.check.ts';
import { check, replay } from './check.ts';
import type { Instance } from './instance.ts';
import { explain, linesOf, parseSchedule, summaryOf } from './report.ts';

const usage = `usage: npm run sim -- interleave [--algorithm NAME] [--deep] [--stop] [--preemptions N] [--states MAX]
       npm run sim -- interleave --instance NAME [--schedule 'A12 B3 A~ B+']

Checks every order of the atomic steps of the shared algorithms on small instances (packages/sim/src/interleave).
  --algorithm    one of ${algorithms.map(({ name }) => name).join(', ')}
  --deep         the larger instances as well, which take minutes
  --stop         ends with the first failure
  --instance     one instance, by the beginning of its name
  --preemptions  only orders in which so many threads are interrupted
  --states       gives up beyond so many states (default 2000000)
  --schedule     prints what happens under a schedule that a failure printed: A takes 12 steps, B 3, A's wait
                 ends by its timeout, B dies`;

function wrongCall(why: string): never {
  console.error(`${why}\n${usage}`);
  process.exit(2);
}

function read(): Record<string, string | boolean | undefined> {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean' },
        deep: { type: 'boolean' },
        stop: { type: 'boolean' },
        algorithm: { type: 'string' },
        instance: { type: 'string' },
        preemptions: { type: 'string' },
        states: { type: 'string' },
        schedule: { type: 'string' },
      },
    }).values;
  } catch (error) {
    return wrongCall(error instanceof Error ? error.message : String(error));
  }
}

const values = read();
if (values['help'] === true) {
  console.log(usage);
  process.exit(0);
}

function numberOf(name: string): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    wrongCall(`--${name} takes a whole number; got ${String(text)}`);
  return number;
}

function chosen(): Instance[] {
  const { algorithm, instance } = values;
  const some = algorithms.filter(({ name }) => algorithm === undefined || name === algorithm);
  if (some.length === 0) wrongCall(`there is no algorithm '${String(algorithm)}'`);
  const isDeep = values['deep'] === true || instance !== undefined;
  const all = some.flatMap(({ instances, deep }) => (isDeep ? [...instances, ...deep] : instances));
  const named = all.filter(({ name }) => instance === undefined || name.startsWith(String(instance)));
  if (named.length === 0) wrongCall(`no instance begins with '${String(instance)}'`);
  return named;
}

function run(of: Instance): boolean {
  const [statesMax, preemptionsMax] = [numberOf('states'), numberOf('preemptions')];
  const started = performance.now();
  const verdict = check(of, {
    ...(statesMax === undefined ? {} : { statesMax }),
    ...(preemptionsMax === undefined ? {} : { preemptionsMax }),
  });
  console.log(`${summaryOf(verdict)}, in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  for (const line of explain(of, verdict)) console.log(line);
  return verdict.failure === undefined && verdict.isComplete;
}

const instances = chosen();
if (typeof values['schedule'] === 'string') {
  const [of] = instances;
  for (const line of linesOf(of!, replay(of!, parseSchedule(values['schedule'])))) console.log(line);
} else {
  for (const of of instances) {
    if (run(of)) continue;
    process.exitCode = 1;
    if (values['stop'] === true) break;
  }
}
