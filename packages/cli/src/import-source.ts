/**
 * Entries from JSONL and CSV, one after the other, with the line they stand on.
 *
 * JSONL: {"key": ..., "value": ...} a line. CSV: a header with the columns key and value. With a key field, each line is a
 * record of any shape: that field is the key and the whole record, as JSON, the value.
 */
import { StringDecoder } from 'node:string_decoder';
import { json, utf8 } from 'varve';
import { CsvError, CsvReader } from './csv.ts';
import type { FileFormat } from './file-format.ts';
import { decodeText, type Format } from './format.ts';
import { type Input, readLines } from './read-input.ts';

export interface ImportFormats {
  readonly file: FileFormat;
  readonly key: Format;
  readonly value: Format;
  /** The field that is the key of records of any shape. */
  readonly keyField: string | undefined;
}

export interface ImportEntry {
  readonly line: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A line that does not say what it should: exit code 5, with the line. */
export class ImportError extends Error {
  constructor(input: string, line: number, message: string) {
    super(`${input}, line ${line}: ${message}`);
    this.name = 'ImportError';
  }
}

/** The entries of an input. Throws ImportError at the first line that is wrong. */
export async function* readEntries(
  input: Input,
  formats: ImportFormats,
): AsyncGenerator<ImportEntry, void, undefined> {
  const records = formats.file === 'csv' ? csvRecords(input, formats) : jsonRecords(input);
  for await (const { line, record } of records) {
    try {
      yield { line, ...entryOf(record, formats) };
    } catch (error) {
      throw new ImportError(input.name, line, (error as Error).message);
    }
  }
}

type Numbered = AsyncGenerator<{ line: number; record: Record<string, unknown> }, void, undefined>;

function entryOf(
  record: Record<string, unknown>,
  formats: ImportFormats,
): { key: Uint8Array; value: Uint8Array } {
  const { key, value, keyField, file } = formats;
  const keyName = keyField ?? 'key';
  if (!Object.hasOwn(record, keyName))
    throw new Error(`no '${keyName}'; it has ${Object.keys(record).join(', ')}`);
  const keyValue = record[keyName];
  if (keyField !== undefined) {
    return { key: parseKey(key, keyValue), value: json().encode(record) };
  }
  if (!Object.hasOwn(record, 'value'))
    throw new Error("no 'value'; use --key-field for records of other shapes");
  if (file === 'csv')
    return { key: key.parse(keyValue as string), value: value.parse(record['value'] as string) };
  return { key: key.fromJson(keyValue), value: value.fromJson(record['value']) };
}

/** A key out of a record: strings in their format, numbers as their digits where the format is text. */
function parseKey(format: Format, value: unknown): Uint8Array {
  if (typeof value === 'string') return format.parse(value);
  if (format.name === 'text' && typeof value === 'number') return utf8.encode(String(value));
  return format.fromJson(value);
}

async function* jsonRecords(input: Input): Numbered {
  for await (const { number: line, bytes } of readLines(input.chunks)) {
    const text = decodeText(bytes)?.trim();
    if (text === undefined) throw new ImportError(input.name, line, 'not UTF-8');
    if (text === '' || text === '\uFEFF') continue;
    let record: unknown;
    try {
      record = JSON.parse(line === 1 ? text.replace(/^\uFEFF/, '') : text);
    } catch (error) {
      throw new ImportError(input.name, line, `not JSON (${(error as Error).message})`);
    }
    if (record === null || typeof record !== 'object' || Array.isArray(record)) {
      throw new ImportError(input.name, line, 'not a JSON object');
    }
    yield { line, record: record as Record<string, unknown> };
  }
}

async function* csvRecords(input: Input, formats: ImportFormats): Numbered {
  const reader = new CsvReader();
  const decoder = new StringDecoder('utf8');
  let header: string[] | undefined;
  try {
    for await (const rows of csvRows(input, reader, decoder)) {
      for (const { line, fields } of rows) {
        if (header === undefined) {
          header = fields.map((name, i) => (i === 0 ? name.replace(/^\uFEFF/, '') : name));
          checkHeader(input, line, header, formats);
        } else {
          if (fields.length !== header.length) {
            throw new ImportError(
              input.name,
              line,
              `${fields.length} fields, but the header has ${header.length}`,
            );
          }
          const record = Object.fromEntries(header.map((name, i) => [name, fields[i]!]));
          yield { line, record };
        }
      }
    }
  } catch (error) {
    throw error instanceof CsvError ? new ImportError(input.name, error.line, error.message) : error;
  }
}

async function* csvRows(
  input: Input,
  reader: CsvReader,
  decoder: StringDecoder,
): AsyncGenerator<{ line: number; fields: string[] }[], void, undefined> {
  for await (const chunk of input.chunks) yield reader.push(decoder.write(Buffer.from(chunk)));
  yield reader.push(decoder.end());
  yield reader.end();
}

function checkHeader(
  input: Input,
  line: number,
  header: readonly string[],
  { keyField }: ImportFormats,
): void {
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ImportError(input.name, line, `the column '${twice}' stands twice in the header`);
  const needed = keyField === undefined ? ['key', 'value'] : [keyField];
  const missing = needed.filter((name) => !header.includes(name));
  if (missing.length > 0) {
    const advice = keyField === undefined ? '; use --key-field for other columns' : '';
    throw new ImportError(
      input.name,
      line,
      `the header has no column '${missing.join("', '")}' among ${header.join(', ')}${advice}`,
    );
  }
}
