/**
 * Preloaded (`node --import`) into a run of the simulation or of the interleaving checker: plants the bug named by PLANTED_BUG into the engine's sources.
 */
import { registerHooks } from 'node:module';
import { bankBugs } from '../bank/planted-bugs.ts';
import { isolationBugs } from '../isolation/planted-bugs.ts';
import { interleavedBugs } from '../interleave/planted-bugs.ts';
import { threadBugs } from '../threads/planted-bugs.ts';
import { plantedBugs } from './bugs.ts';

const name = process.env['PLANTED_BUG'];
const bugs = [...plantedBugs, ...interleavedBugs, ...isolationBugs, ...threadBugs, ...bankBugs];
const bug = bugs.find((each) => each.name === name);
if (bug === undefined)
  throw new Error(`PLANTED_BUG must be one of ${bugs.map((each) => each.name).join(', ')}`);

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const edits = bug.edits.filter((edit) => url.endsWith(`/packages/varve/src/${edit.file}`));
    if (edits.length === 0) return loaded;
    let source =
      typeof loaded.source === 'string'
        ? loaded.source
        : new TextDecoder().decode(loaded.source as Uint8Array);
    for (const { file, find, replace } of edits) {
      const parts = source.split(find);
      if (parts.length !== 2)
        throw new Error(`planted bug ${bug.name}: found ${parts.length - 1} times in ${file}: ${find}`);
      source = parts.join(replace);
      process.stderr.write(`planted in ${file}\n`);
    }
    return { ...loaded, source };
  },
});
