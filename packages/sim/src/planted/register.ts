/**
 * Preloaded (`node --import`) into a run of the simulation or of the interleaving checker: plants the bug named by PLANTED_BUG into the engine's sources.
 */
import { registerHooks } from 'node:module';
import { allBugs, planted } from './all-bugs.ts';

const name = process.env['PLANTED_BUG'];
const bug = allBugs.find((each) => each.name === name);
if (bug === undefined)
  throw new Error(`PLANTED_BUG must be one of ${allBugs.map((each) => each.name).join(', ')}`);

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const file = bug.edits.find((edit) => url.endsWith(`/packages/varve/src/${edit.file}`))?.file;
    if (file === undefined) return loaded;
    const source =
      typeof loaded.source === 'string'
        ? loaded.source
        : new TextDecoder().decode(loaded.source as Uint8Array);
    const changed = planted(bug, file, source);
    process.stderr.write(`planted in ${file}\n`);
    return { ...loaded, source: changed };
  },
});
