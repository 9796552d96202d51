/** `npm run sim -- bank`: banks of many seeds (bank.ts). */
import { type BankResult, runBank } from './bank.ts';

export interface BankOptions {
  readonly from: number;
  readonly count: number;
  readonly stopAtFailure: boolean;
  readonly log: (line: string) => void;
}

export interface BankSummary extends BankResult {
  readonly failed: number;
}

export async function checkBanks(options: BankOptions): Promise<BankSummary> {
  const { from, count, stopAtFailure, log } = options;
  const sum = { failed: 0, transfers: 0, crashes: 0, pastStates: 0, inDoubt: 0 };
  for (let seed = from; seed < from + count && !(stopAtFailure && sum.failed > 0); seed++) {
    try {
      const { transfers, crashes, pastStates, inDoubt } = await runBank(seed);
      sum.transfers += transfers;
      sum.crashes += crashes;
      sum.pastStates += pastStates;
      sum.inDoubt += inDoubt;
    } catch (error) {
      sum.failed++;
      log(`bank ${seed} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      log(`replay it with: npm run sim -- bank --from ${seed} --seeds 1\n`);
    }
  }
  log(
    `${count} banks from ${from}: ${sum.failed} failed; ${sum.transfers} transfers promised, ${sum.crashes} crashes, ` +
      `${sum.pastStates} states of the past, ${sum.inDoubt} prepared transactions in doubt`,
  );
  return sum;
}
