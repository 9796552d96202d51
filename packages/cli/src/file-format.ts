/**
 * Which file format an import or export means: by option, else by the name's ending, else JSONL.
 */
import { Option } from 'commander';
import { UsageError } from './session.ts';

export type FileFormat = 'jsonl' | 'csv';

export function fileFormatOption(): Option {
  return new Option('--format <format>', "file format (default: by the file's name, else jsonl)").choices([
    'jsonl',
    'csv',
  ]);
}

export function fileFormatOf(choice: FileFormat | undefined, file: string): FileFormat {
  if (choice !== undefined) return choice;
  const name = file.toLowerCase();
  if (name.endsWith('.csv')) return 'csv';
  if (file === '-' || /\.(jsonl|ndjson|json)$/.test(name)) return 'jsonl';
  throw new UsageError(
    `cannot tell the format of '${file}' by its name; give --format jsonl or --format csv`,
  );
}
