/**
 * Standard output of a command: text is gathered and handed over in large pieces, waiting when the reader is slow.
 *
 * A loop that prints calls `line` per entry and `await settle()` when `isFull`; `run` calls `end` once.
 */
import { once } from 'node:events';

/** Where text goes. `isTTY` and the size are those of a terminal, absent elsewhere. */
export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly rows?: number;
  readonly columns?: number;
};

const FULL_CHARACTERS = 64 * 1024;

export class Output {
  readonly #stream: OutputStream;
  #pending: string[] = [];
  #characters = 0;
  #touched = false;

  constructor(stream: OutputStream) {
    this.#stream = stream;
  }

  /** A person reads this, not a program. */
  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Of the terminal. */
  get size(): { readonly rows: number; readonly columns: number } {
    const { rows = 24, columns = 80 } = this.#stream;
    return { rows, columns };
  }

  /** Nothing was printed yet. */
  get isUntouched(): boolean {
    return !this.#touched;
  }

  get isFull(): boolean {
    return this.#characters >= FULL_CHARACTERS;
  }

  line(text = ''): void {
    this.#touched = true;
    this.#pending.push(text, '\n');
    this.#characters += text.length + 1;
  }

  /** One line of JSON. */
  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** Bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    this.#touched = true;
    await this.settle();
    await this.#write(bytes);
  }

  /** Hands over what is pending. */
  async settle(): Promise<void> {
    if (this.#characters === 0) return;
    const text = this.#pending.join('');
    this.#pending = [];
    this.#characters = 0;
    await this.#write(text);
  }

  async end(): Promise<void> {
    await this.settle();
  }

  async #write(content: string | Uint8Array): Promise<void> {
    if (!this.#stream.write(content)) await once(this.#stream, 'drain');
  }
}

/** Bytes for people: '12.3 MiB'. */
export function showSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`;
}

/** A count for people: '1,234,567'. */
export function showCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** '1 entry', '2 entries'. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${showCount(count)} ${count === 1 ? one : many}`;
}

/** Columns padded to equal width; those named in `right` (by index) stand to the right. */
export function alignColumns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}
