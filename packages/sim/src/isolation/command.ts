/**
 * `npm run sim -- isolation`: histories of many seeds under both isolations, each held against what its isolation forbids.
 */
import { anomaliesOf, forbidden } from './anomalies.ts';
import { runHistory } from './run.ts';

export interface IsolationOptions {
  readonly from: number;
  /** Histories under each isolation. */
  readonly count: number;
  /** Ends at the first history that shows what it must not. */
  readonly stopAtFailure: boolean;
  readonly log: (line: string) => void;
}

export interface IsolationSummary {
  readonly failed: number;
  /** Histories under `snapshot` with write skew: there have to be some, or nothing was tried. */
  readonly skewed: number;
  readonly committed: number;
  readonly conflicts: number;
}

export async function checkIsolation(options: IsolationOptions): Promise<IsolationSummary> {
  const { from, count, stopAtFailure, log } = options;
  let [failed, skewed, committed, conflicts] = [0, 0, 0, 0];
  for (const isolation of ['snapshot', 'serializable'] as const) {
    for (let seed = from; seed < from + count && !(stopAtFailure && failed > 0); seed++) {
      const { history, conflicts: refused } = await runHistory(seed, isolation);
      const anomalies = anomaliesOf(history);
      const wrong = forbidden(anomalies, isolation);
      if (wrong.length > 0) {
        failed++;
        const story = wrong.map(({ name, story: told }) => `  ${name}: ${told}`).join('\n');
        log(`history ${seed} under ${isolation} failed: it shows\n${story}`);
        log(`replay it with: npm run sim -- isolation --from ${seed} --seeds 1\n`);
      }
      if (isolation === 'snapshot' && anomalies.length > 0) skewed++;
      committed += history.transactions.filter(({ committedAt }) => committedAt !== undefined).length;
      conflicts += refused;
    }
  }
  log(
    `${count} histories from ${from} under each isolation: ${failed} failed; ${committed} transactions committed, ` +
      `${conflicts} refused; write skew in ${skewed} under snapshot`,
  );
  if (skewed === 0 && count >= HISTORIES_MIN && failed === 0) {
    log('failed: no history under snapshot shows write skew, so they try nothing');
    failed++;
  }
  return { failed, skewed, committed, conflicts };
}

/** Among so many histories write skew is certain. */
const HISTORIES_MIN = 50;
