/**
 * Pictures that replace each other: on a terminal in place, cut to what it shows; elsewhere one below the other with an empty
 * line between.
 */
import type { Output } from './output.ts';

const HOME = '\u001b[H';
const CLEAR_SCREEN = '\u001b[2J';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export class Frames {
  readonly #out: Output;
  #drawn = 0;

  constructor(out: Output) {
    this.#out = out;
  }

  async draw(lines: readonly string[]): Promise<void> {
    const out = this.#out;
    const isFirst = this.#drawn++ === 0;
    if (out.isTerminal) {
      const { rows, columns } = out.size;
      const shown = lines
        .slice(0, rows - 1)
        .map((line) => `${Array.from(line).slice(0, columns).join('')}${CLEAR_LINE}`);
      out.line(`${isFirst ? CLEAR_SCREEN : ''}${HOME}${shown.join('\n')}${CLEAR_BELOW}`);
    } else {
      if (!isFirst) out.line();
      for (const line of lines) out.line(line);
    }
    await out.settle();
  }
}
