/**
 * A verdict as text: how much was looked at, and of a failure the schedule step by step, with the string that replays it.
 *
 *   A12 B3 A~ B+     thread A takes 12 steps, B 3, A's wait ends by its timeout, B dies
 */
import type { Verdict } from './check.ts';
import type { Instance } from './instance.ts';
import type { Turn } from './position.ts';
import type { TraceLine } from './steps.ts';

/** Longest round of a loop, in lines, that is shown once. */
const PERIOD_MAX = 24;

export function summaryOf({ name, states, moves, ends, isComplete, failure }: Verdict): string {
  const count = `${states} states, ${moves} moves, ${ends} ends`;
  if (failure !== undefined) return `${name}: FAILED after ${count}: ${failure.what}`;
  return isComplete ? `${name}: all of ${count}` : `${name}: NOT ALL, stopped after ${count}`;
}

/** The lines of a failure. */
export function explain(instance: Instance, verdict: Verdict): string[] {
  const { failure } = verdict;
  if (failure === undefined) return [];
  return [...linesOf(instance, verdict), `schedule: ${scheduleText(failure.turns)}`, failure.what];
}

export function linesOf(instance: Instance, { trace, nameOf }: Pick<Verdict, 'trace' | 'nameOf'>): string[] {
  const width = Math.max(...instance.threads.map(({ name }) => name.length));
  const shared = sharedWords(trace);
  const lines: string[] = [];
  for (let i = 0; i < trace.length; ) {
    const { thread } = trace[i]!;
    let own = 0;
    while (i + own < trace.length && trace[i + own]!.thread === thread && isOwn(trace[i + own]!, shared))
      own++;
    const { name } = instance.threads[thread]!;
    const start = `  ${letterOf(thread)} ${name.padEnd(width)}  `;
    if (own > 0) lines.push(`${start}... ${own} ${own === 1 ? 'step' : 'steps'} on words of its own`);
    i += own;
    if (own === 0) lines.push(start + lineOf(trace[i++]!, nameOf));
  }
  return withoutRounds(lines);
}

/** A loop is shown once. */
function withoutRounds(lines: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const [period, times] = roundsAt(lines, i);
    kept.push(...lines.slice(i, i + period));
    if (times > 1)
      kept.push(`    ... and so on, ${times} rounds of ${period} ${period === 1 ? 'line' : 'lines'}`);
    i += period * times;
  }
  return kept;
}

/** Lines that repeat at least three times in a row from here on, and how often; one line once when none do. */
function roundsAt(lines: readonly string[], from: number): [period: number, times: number] {
  for (let period = 1; period <= PERIOD_MAX; period++) {
    let same = 0;
    while (from + same + period < lines.length && lines[from + same] === lines[from + same + period]) same++;
    const times = Math.floor(same / period) + 1;
    if (times >= 3) return [period, times];
  }
  return [1, 1];
}

export function scheduleText(turns: readonly Turn[]): string {
  const parts: string[] = [];
  let [thread, count] = [-1, 0];
  const flush = (): void => {
    if (count > 0) parts.push(`${letterOf(thread)}${count}`);
    count = 0;
  };
  for (const turn of turns) {
    if (turn.thread !== thread || turn.kind !== 'step') flush();
    ({ thread } = turn);
    if (turn.kind === 'step') count += turn.count;
    else parts.push(letterOf(thread) + (turn.kind === 'die' ? '+' : '~'));
  }
  flush();
  return parts.join(' ');
}

export function parseSchedule(text: string): Turn[] {
  return text
    .trim()
    .split(/\s+/)
    .map((part) => {
      const [, letter, what] = /^([A-Z])(\d+|\+|~)$/.exec(part) ?? [];
      if (letter === undefined || what === undefined) {
        throw new Error(`a schedule is made of parts like A12, B~ and C+; got '${part}'`);
      }
      const thread = letter.codePointAt(0)! - 65;
      if (what === '+') return { thread, kind: 'die', count: 1 };
      return what === '~'
        ? { thread, kind: 'timeout', count: 1 }
        : { thread, kind: 'step', count: Number(what) };
    });
}

function letterOf(thread: number): string {
  return String.fromCodePoint(65 + thread);
}

/** Words that more than one thread touches in these lines, one of them with a write. */
function sharedWords(trace: readonly TraceLine[]): Set<number> {
  const readers = new Map<number, number>();
  const written = new Set<number>();
  for (const { thread, step } of trace) {
    for (const word of step.words) {
      readers.set(word, (readers.get(word) ?? 0) | (1 << thread));
      if (step.isWrite) written.add(word);
    }
  }
  return new Set([...written].filter((word) => (readers.get(word)! & (readers.get(word)! - 1)) !== 0));
}

function isOwn({ step }: TraceLine, shared: ReadonlySet<number>): boolean {
  return step.kind !== 'die' && !step.kind.startsWith('wait') && !step.words.some((word) => shared.has(word));
}

function lineOf({ step, before, after, answer }: TraceLine, nameOf: (word: number) => string): string {
  const { kind, words } = step;
  const place = nameOf(words[0]!);
  if (kind === 'die') return 'dies';
  if (kind === 'read' || kind === 'load') return `${kind} ${place} = ${String(answer)}`;
  if (kind === 'wait' || kind === 'waitAtMost') return `${kind} ${place}: ${String(answer)}`;
  if (kind === 'notify') return `notify ${place}: ${String(answer)} woken`;
  const change = before === after ? `stays ${after}` : `${before} -> ${after}`;
  return `${kind} ${place} ${change}`;
}
