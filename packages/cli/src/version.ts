/** The version of this package, read from its own package.json: the same file from `src` and from `dist`. */
import { readFileSync } from 'node:fs';

export const cliVersion: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
