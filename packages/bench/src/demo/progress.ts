/**
 * Progress of a long step: a bar that fills on a terminal (cli-progress), and elsewhere, in a log or a pipe, a line of
 * text for every fifth, so that the output stays readable.
 */
import { Presets, SingleBar } from 'cli-progress';
import { formatCount } from '../format.ts';

export interface Progress {
  /** `done` of the total are done; rises from call to call. */
  update(done: number): void;
  /** Removes the bar, so that a line about the result can take its place. */
  stop(): void;
}

/** Where progress is shown: a terminal that can redraw a line, or a plain stream of lines. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export function startProgress(total: number, unit: string, output: Output = process.stdout): Progress {
  return output.isTTY === true ? bar(total, unit) : lines(total, unit, output);
}

function bar(total: number, unit: string): Progress {
  const single = new SingleBar(
    {
      format: `  {bar} {percentage}%  {done} ${unit}`,
      stream: process.stdout,
      barsize: 40,
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  single.start(total, 0, { done: '0' });
  return {
    update: (done) => single.update(done, { done: formatCount(done) }),
    stop: () => single.stop(),
  };
}

function lines(total: number, unit: string, output: Output): Progress {
  const parts = 5;
  let printed = 0;
  return {
    update(done) {
      const part = Math.floor((done * parts) / total);
      if (part <= printed) return;
      printed = part;
      output.write(`  ${part * (100 / parts)} %  ${formatCount(done)} ${unit}\n`);
    },
    stop() {},
  };
}
