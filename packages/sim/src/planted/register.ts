/**
 * Preloaded (`node --import`) into a run of the simulation: plants the bug named by PLANTED_BUG into the engine's sources.
 */
import { registerHooks } from 'node:module';
import { plantedBugs } from './bugs.ts';

const name = process.env['PLANTED_BUG'];
const bug = plantedBugs.find((each) => each.name === name);
if (bug === undefined) throw new Error(`PLANTED_BUG must be one of ${plantedBugs.map((each) => each.name).join(', ')}`);
const target = `/packages/varve/src/${bug.file}`;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(target)) return loaded;
    const source = String(loaded.source);
    const parts = source.split(bug.find);
    if (parts.length !== 2) throw new Error(`the planted bug ${bug.name} matches ${parts.length - 1} places of ${bug.file}`);
    process.stderr.write(`planted: ${bug.breaks}\n`);
    return { ...loaded, source: parts.join(bug.replace) };
  },
});
