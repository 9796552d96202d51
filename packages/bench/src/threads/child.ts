/**
 * A child process of `threads`: one part, or one engine of the part `peers`; sends the outcome and waits to be killed, since not
 * every engine survives the end of its threads.
 */
import { UnavailableError } from '../compare/peers/peer.ts';
import type { Figure } from '../large/figures.ts';
import { measureAttach } from './parts/attach.ts';
import { measureBeside } from './parts/beside.ts';
import { measureOwner } from './parts/owner.ts';
import { measureRead } from './parts/read.ts';
import { measureWrite } from './parts/write.ts';
import { engines, measurePeer, type Rates } from './peers.ts';
import type { Sizes } from './sizes.ts';

export type Outcome =
  | { readonly kind: 'figures'; readonly figures: readonly Figure[] }
  | { readonly kind: 'rates'; readonly rates: Rates }
  | { readonly kind: 'unavailable'; readonly reason: string };

const parts: Readonly<Record<string, (path: string, sizes: Sizes) => Promise<Figure[]>>> = {
  read: measureRead,
  beside: measureBeside,
  owner: measureOwner,
  write: measureWrite,
  attach: measureAttach,
};

async function run(name: string, path: string, sizes: Sizes): Promise<Outcome> {
  const part = parts[name];
  if (part !== undefined) return { kind: 'figures', figures: await part(path, sizes) };
  const engine = engines.find((known) => known === name);
  if (engine === undefined) throw new TypeError(`no part or engine '${name}'`);
  try {
    return { kind: 'rates', rates: await measurePeer(engine, path, sizes) };
  } catch (error) {
    if (error instanceof UnavailableError) return { kind: 'unavailable', reason: error.message };
    throw error;
  }
}

process.on('disconnect', () => process.exit());
const [name, path, sizes] = process.argv.slice(2);
process.send?.(await run(name!, path!, JSON.parse(sizes!) as Sizes));
