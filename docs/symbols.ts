/**
 * Names of code in the documents: a path of a source file in code marks, with a symbol behind it, is a promise that the
 * symbol is declared there: `packages/varve/src/engine/get.ts` `pointGet`. Used by symbols.test.ts only.
 */

/** A source file that a document names, and what it says is declared there. */
export interface Mention {
  readonly line: number;
  readonly path: string;
  /** `name`, or `Class.member`; undefined when the document names only the file. */
  readonly symbol: string | undefined;
}

/** Every mention of a path under packages, scripts or docs. */
export function mentionsIn(text: string): Mention[] {
  const pattern =
    /`((?:packages|scripts|docs)\/[\w./-]+\.(?:ts|mjs|txt))`(?:\s+`([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)?)`)?/g;
  return Array.from(text.matchAll(pattern), (match) => ({
    line: text.slice(0, match.index).split('\n').length,
    path: match[1]!,
    symbol: match[2],
  }));
}

/** The numbered lists of a document, each as its items; an item is all its lines. */
export function numberedLists(text: string): string[][] {
  const lists: string[][] = [];
  let expected = 1;
  for (const line of text.split('\n')) {
    const item = /^(\d+)\. /.exec(line);
    if (item === null) {
      if (/^\s+\S/.test(line) && expected > 1) lists.at(-1)!.push(`${lists.at(-1)!.pop()!}\n${line}`);
      else if (line !== '') expected = 1;
      continue;
    }
    if (item[1] === '1') lists.push([]);
    else if (Number(item[1]) !== expected)
      throw new Error(`a list goes on with "${line}" instead of ${expected}`);
    lists.at(-1)!.push(line);
    expected = Number(item[1]) + 1;
  }
  return lists;
}

/** Is `symbol` declared in this source: a function, class, interface, type or constant, or a member of a class? */
export function declares(source: string, symbol: string): boolean {
  const [name, member] = symbol.split('.') as [string, string | undefined];
  const declared = new RegExp(
    `^(?:export )?(?:abstract )?(?:class|interface|function\\*?|async function|const|let|type) ${name}\\b`,
    'm',
  ).exec(source);
  if (declared === null || member === undefined) return declared !== null;
  const body = source.slice(declared.index);
  const end = body.indexOf('\n}');
  return new RegExp(
    `^  (?:(?:static|async|get|readonly|override) )*\\*?#?${member}\\b(?:<[^(]*>)?[(:= ?]`,
    'm',
  ).test(end < 0 ? body : body.slice(0, end));
}
