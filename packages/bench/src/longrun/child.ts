/** A child process of `longrun`: one task on a directory of its own; sends the outcome and ends. */
import type { Figure } from '../large/figures.ts';
import { measureDeletes } from './parts/deletes.ts';
import { measureForeground } from './parts/foreground.ts';
import { measureLoop } from './parts/loop.ts';
import { type Mixed, runMixed } from './parts/mixed.ts';
import { overload, type Overloaded } from './parts/overload.ts';
import { measureSeek } from './parts/seek.ts';
import { measureSpace } from './parts/space.ts';
import { measureThroughput } from './parts/throughput.ts';
import { type Amplified, fillForWriteamp } from './parts/writeamp.ts';
import type { Sizes } from './sizes.ts';

/** Every task with its outcome. */
export interface Outcomes {
  readonly throughput: readonly Figure[];
  readonly writeamp: Amplified;
  readonly space: readonly Figure[];
  readonly deletes: readonly Figure[];
  readonly seek: readonly Figure[];
  readonly 'overload-slow': Overloaded;
  readonly 'overload-block': Overloaded;
  readonly 'overload-fail': Overloaded;
  readonly foreground: readonly Figure[];
  readonly loop: readonly Figure[];
  readonly mixed: Mixed;
}

type Tasks = { readonly [Name in keyof Outcomes]: (path: string, sizes: Sizes) => Promise<Outcomes[Name]> };

const tasks: Tasks = {
  throughput: measureThroughput,
  writeamp: fillForWriteamp,
  space: measureSpace,
  deletes: measureDeletes,
  seek: measureSeek,
  'overload-slow': (path, sizes) => overload(path, sizes, 'slow'),
  'overload-block': (path, sizes) => overload(path, sizes, 'block'),
  'overload-fail': (path, sizes) => overload(path, sizes, 'fail'),
  foreground: measureForeground,
  loop: measureLoop,
  mixed: runMixed,
};

process.on('disconnect', () => process.exit());
const [name, path, sizes] = process.argv.slice(2);
const outcome = await tasks[name as keyof Outcomes](path!, JSON.parse(sizes!) as Sizes);
process.send?.(outcome, () => process.disconnect());
