/**
 * A child process of `large`: does one task on one database, sends the result and ends.
 *
 * Started by session.ts with the name of the task, the database's path and the sizes.
 */
import { fill } from './tasks/fill.ts';
import { iterate } from './tasks/iterate.ts';
import { fillLog, replay } from './tasks/log.ts';
import { memory } from './tasks/memory.ts';
import { open } from './tasks/open.ts';
import { read } from './tasks/read.ts';
import type { Results, Sizes, TaskName } from './tasks/results.ts';

type Tasks = { readonly [Name in TaskName]: (path: string, sizes: Sizes) => Promise<Results[Name]> };

const tasks: Tasks = { fill, read, iterate, open, fillLog, replay, memory };

process.on('disconnect', () => process.exit());

const [name, path, sizes] = process.argv.slice(2);
const result = await tasks[name as TaskName](path!, JSON.parse(sizes!) as Sizes);
// `fillLog` waits to be killed: it ends by itself only when the parent is gone.
process.send?.(result, () => {
  if (name !== 'fillLog') process.disconnect();
});
