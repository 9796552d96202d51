/**
 * Golden text tests: a file of cases that reads like a session, and a function that plays the program.
 *
 *   # a comment, kept
 *   command first=1 second=x
 *   more input, line by line
 *   ----
 *   what the program answered
 *
 * A case ends with an empty line; input and answers have none. `UPDATE_GOLDEN=1 npx vitest run <test>` writes the answers
 * that the program gives now into the file: read the diff before you commit it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

export interface GoldenCommand {
  readonly name: string;
  /** Words of the first line without `=`. */
  readonly words: readonly string[];
  /** `key=value` words of the first line. */
  readonly options: Readonly<Record<string, string>>;
  /** The lines up to `----`. */
  readonly input: readonly string[];
}

/** Plays one command; a thrown error is an answer as well: `error: <message>`. */
export type GoldenProgram = (command: GoldenCommand) => string;

const SEPARATOR = '----';

/**
 * Runs all cases of a file through `program`. The caller compares: `expect(actual).toBe(expected)`; they are equal after an
 * update.
 */
export function runGolden(path: URL, program: GoldenProgram): { expected: string; actual: string } {
  const before = readFileSync(path, 'utf8');
  const actual = `${before
    .trim()
    .split(/\n{2,}/)
    .map((block) => answer(block, program))
    .join('\n\n')}\n`;
  if (process.env['UPDATE_GOLDEN'] !== '1') return { expected: before, actual };
  if (actual !== before) writeFileSync(path, actual);
  return { expected: actual, actual };
}

/** One block with the answer that the program gives now. */
function answer(block: string, program: GoldenProgram): string {
  const lines = block.split('\n');
  const first = lines.findIndex((line) => !line.startsWith('#'));
  if (first < 0) return block;
  const separator = lines.indexOf(SEPARATOR);
  const question = separator < 0 ? lines : lines.slice(0, separator);
  const [name, ...rest] = question[first]!.split(' ').filter((word) => word !== '');
  const pairs = rest
    .filter((word) => word.includes('='))
    .map((word): [string, string] => {
      const at = word.indexOf('=');
      return [word.slice(0, at), word.slice(at + 1)];
    });
  const command: GoldenCommand = {
    name: name!,
    words: rest.filter((word) => !word.includes('=')),
    options: Object.fromEntries(pairs),
    input: question.slice(first + 1),
  };
  return [...question, SEPARATOR, play(command, program)].join('\n');
}

function play(command: GoldenCommand, program: GoldenProgram): string {
  try {
    return program(command);
  } catch (error) {
    return `error: ${error instanceof Error ? error.message : String(error)}`;
  }
}
