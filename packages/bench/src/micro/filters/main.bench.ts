/**
 * What each kind of filter gains: `npm run bench -- filters [blooms|parts|prefix]`, all three without a name. The figures of
 * docs/decisions/0011-filters.md come from here.
 */
import { measureBlooms } from './blooms.bench.ts';
import { measureParts } from './parts.bench.ts';
import { measurePrefixes } from './prefix.bench.ts';

const measures: Readonly<Record<string, () => void | Promise<void>>> = {
  blooms: measureBlooms,
  parts: measureParts,
  prefix: measurePrefixes,
};

const names = process.argv.slice(2);
const unknown = names.find((name) => !Object.hasOwn(measures, name));
if (unknown === undefined) {
  for (const name of names.length === 0 ? Object.keys(measures) : names) await measures[name]!();
} else {
  console.log(`npm run bench -- filters [${Object.keys(measures).join('|')}]`);
  process.exitCode = unknown === '--help' ? 0 : 2;
}
