/**
 * The code blocks of the documents, as programs. Used by the tests beside this file only.
 *
 *   ```ts              a program of its own: type-checked and run in an empty directory
 *   ```ts continued    goes on with the program of the block before it in the same document
 *   ```ts no-run       type-checked only
 *
 * A comment `// prints X` says that the program prints the line X, these in their order.
 * Invariant: line n of a program is line n of its document, so that every error message points into the document.
 */
import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** A fenced block: `line` is the number of its first line of code. */
export interface CodeBlock {
  readonly language: string;
  readonly flags: readonly string[];
  readonly line: number;
  readonly code: readonly string[];
}

export interface Program {
  /** `README.md:42`. */
  readonly name: string;
  readonly document: string;
  readonly runs: boolean;
  readonly source: string;
  /** Lines that it says it prints. */
  readonly prints: readonly string[];
}

/** README.md and everything below docs, relative to the root. */
export function documentsOf(root: string): string[] {
  const found = ['README.md'];
  for (const path of readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (path.endsWith('.md')) found.push(relative(root, join(root, 'docs', path)).replaceAll(sep, '/'));
  }
  return found;
}

export function codeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; flags: string[]; line: number; code: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (fence === null) open?.code.push(line);
    else if (open === undefined) {
      const [language = '', ...flags] = fence[1]!.trim().split(/\s+/);
      open = { language, flags, line: index + 2, code: [] };
    } else {
      blocks.push(open);
      open = undefined;
    }
  }
  return blocks;
}

/** The TypeScript programs of a document. */
export function programsOf(document: string, text: string): Program[] {
  const chains: CodeBlock[][] = [];
  for (const block of codeBlocks(text)) {
    if (block.language !== 'ts') continue;
    const unknown = block.flags.find((flag) => flag !== 'continued' && flag !== 'no-run');
    if (unknown !== undefined) throw new Error(`${document}:${block.line - 1}: unknown flag '${unknown}'`);
    if (!block.flags.includes('continued')) chains.push([block]);
    else if (chains.length > 0) chains.at(-1)!.push(block);
    else throw new Error(`${document}:${block.line - 1}: there is no block to continue`);
  }
  return chains.map((chain) => programOf(document, chain));
}

function programOf(document: string, chain: readonly CodeBlock[]): Program {
  const lines: string[] = [];
  for (const { line, code } of chain) {
    while (lines.length < line - 1) lines.push('');
    lines.push(...code);
  }
  const source = lines.join('\n');
  return {
    name: `${document}:${chain[0]!.line}`,
    document,
    runs: !chain.some((block) => block.flags.includes('no-run')),
    // Without an import it would be a script, and `await` at its top an error.
    source: `${source}\nexport {};\n`,
    prints: Array.from(source.matchAll(/\/\/ prints (.+)$/gm), (match) => match[1]!.trim()),
  };
}
