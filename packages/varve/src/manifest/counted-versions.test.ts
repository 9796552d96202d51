/** Which versions a number of versions promises after it was changed. */
import { expect, test } from 'vitest';
import { ALL_COUNTED, type Counted, countedAfter } from './counted-versions.ts';

/** What counts after the number was changed to each of these, at sequences 100, 200 and so on. */
function after(...numbers: readonly number[]): Counted {
  let counted = ALL_COUNTED;
  let versions = 3;
  for (const [at, next] of numbers.entries()) {
    counted = countedAfter(counted, versions, next, 100 * (at + 1));
    versions = next;
  }
  return counted;
}

test('what was kept by a lower number counts on, and nothing that was left over by chance', () => {
  expect(after(5)).toEqual({ sequence: 100, before: 3 });
  expect(after(2)).toEqual(ALL_COUNTED);
  expect(after(2, 5)).toEqual({ sequence: 200, before: 2 });
  expect(after(5, 7)).toEqual({ sequence: 200, before: 3 });
  expect(after(5, 4)).toEqual({ sequence: 100, before: 3 });
  expect(after(5, 2)).toEqual({ sequence: 100, before: 2 });
  expect(after(5, 2, 5)).toEqual({ sequence: 300, before: 2 });
});

test('without a number before only the newest version counts', () => {
  expect(after(0)).toEqual(ALL_COUNTED);
  expect(after(0, 4)).toEqual({ sequence: 200, before: 1 });
  expect(after(0, 4, 9)).toEqual({ sequence: 300, before: 1 });
});
