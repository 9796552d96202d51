/**
 * Command lines of the documents: which lines of a block are one command, what exit code they promise, and, for those that
 * need no shell, their arguments. Used by cli-guide.test.ts only.
 */

export interface ShellCommand {
  /** In the document. */
  readonly line: number;
  readonly text: string;
  /** The exit code that a comment `# exit N` promises; 0 without one. */
  readonly code: number;
}

/** The commands of a block whose first line is line `first` of its document. */
export function commandsOf(lines: readonly string[], first: number): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let begun: { line: number; text: string } | undefined;
  for (const [index, part] of lines.entries()) {
    const line = begun?.line ?? first + index;
    const whole = `${begun?.text ?? ''}${part.replace(/^\$ /, '')}`;
    begun = whole.endsWith('\\') ? { line, text: whole.slice(0, -1) } : undefined;
    if (begun !== undefined) continue;
    const [, text, comment] = /^((?:[^#'"]|'[^']*'|"[^"]*"|(?<=\S)#)*)(#.*)?$/.exec(whole) ?? ['', whole];
    if (text!.trim() === '') continue;
    commands.push({ line, text: text!.trim(), code: Number(/exit (\d+)/.exec(comment ?? '')?.[1] ?? 0) });
  }
  return commands;
}

/** The words of a plain command; undefined when it takes a shell to understand it. */
export function argumentsOf(command: string): string[] | undefined {
  const words: string[] = [];
  const pattern = /\s*((?:'[^']*'|"[^"$`\\]*"|[^\s'"|&;<>()$`\\*?~])+)/y;
  for (let end = 0; end < command.trimEnd().length; end = pattern.lastIndex) {
    pattern.lastIndex = end;
    const word = pattern.exec(command)?.[1];
    if (word === undefined) return undefined;
    words.push(word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  }
  return words;
}
