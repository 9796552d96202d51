/**
 * Studies: two or more ways to do the same thing, measured beside each other, each behind a page of docs/decisions. They
 * run only when named (`npm run bench -- micro study-log`), since they take longer than a micro bench and write files.
 *
 * The machine is noisy, so every way runs once in each round, the order is reversed every other round, a first round does
 * not count, and what is printed are medians.
 */
import type { StudyMeans } from './rounds.bench.ts';
import { studyBlockHash } from './study-block-hash.bench.ts';
import { studyLog } from './study-log.bench.ts';
import { studyWriteUnits } from './study-write-units.bench.ts';

export interface Study {
  readonly name: string;
  readonly summary: string;
  run(means: StudyMeans): Promise<void>;
}

export const studies: readonly Study[] = [
  { name: 'study-log', summary: 'a log that is written, and one that is mapped', run: studyLog },
  { name: 'study-write-units', summary: 'tables written in units of many sizes', run: studyWriteUnits },
  { name: 'study-block-hash', summary: 'a hash index in data blocks', run: studyBlockHash },
];
