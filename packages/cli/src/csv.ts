/**
 * CSV as RFC 4180 has it: fields in double quotes may hold commas, line ends and doubled quotes; line ends are LF or CRLF.
 *
 * Reading is a state machine over decoded text that keeps one record at a time; damage is reported with its line.
 */

/** A field in quotes when it needs them. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvRecord(fields: readonly string[]): string {
  return fields.map(csvField).join(',');
}

export class CsvError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** Splits text that arrives in pieces into records. */
export class CsvReader {
  #field = '';
  #fields: string[] = [];
  #state: 'start' | 'plain' | 'quoted' | 'quote' = 'start';
  #line = 1;
  #recordLine = 1;
  #afterReturn = false;

  /** Records that are complete with this piece, each with the line it began on. Blank lines are none. */
  push(text: string): { line: number; fields: string[] }[] {
    const records: { line: number; fields: string[] }[] = [];
    for (const character of text) this.#step(character, records);
    return records;
  }

  /** The last record, when the text did not end with a line end. */
  end(): { line: number; fields: string[] }[] {
    if (this.#state === 'quoted') throw new CsvError(this.#recordLine, 'a quoted field without end');
    const records: { line: number; fields: string[] }[] = [];
    this.#endRecord(records);
    return records;
  }

  #step(character: string, records: { line: number; fields: string[] }[]): void {
    const afterReturn = this.#afterReturn;
    this.#afterReturn = false;
    if (this.#state === 'quoted') {
      if (character === '"') this.#state = 'quote';
      else {
        if (character === '\n') this.#line++;
        this.#field += character;
      }
      return;
    }
    switch (character) {
      case ',':
        this.#fields.push(this.#field);
        this.#field = '';
        this.#state = 'start';
        // A comma makes the record one of at least two fields, even when both are empty.
        return;
      case '\r':
        this.#afterReturn = true;
        this.#endRecord(records);
        return;
      case '\n':
        if (!afterReturn) this.#endRecord(records);
        this.#line++;
        this.#recordLine = this.#line;
        return;
      case '"':
        if (this.#state === 'plain') throw new CsvError(this.#line, 'a quote inside an unquoted field');
        if (this.#state === 'quote') this.#field += '"';
        this.#state = 'quoted';
        return;
      default:
        if (this.#state === 'quote') throw new CsvError(this.#line, `'${character}' after a closing quote`);
        this.#field += character;
        this.#state = 'plain';
    }
  }

  #endRecord(records: { line: number; fields: string[] }[]): void {
    const blank = this.#fields.length === 0 && this.#state === 'start';
    if (!blank) records.push({ line: this.#recordLine, fields: [...this.#fields, this.#field] });
    this.#fields = [];
    this.#field = '';
    this.#state = 'start';
  }
}
