/**
 * "Did you mean": the known name nearest to a mistyped one.
 *
 * Distance: optimal string alignment (insert, delete, replace, swap neighbours), case ignored. Pure; any thread.
 */

/** The name within about a third of the letters of `given`, or undefined when none is that near. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 1;
  if (given.length > 100) return undefined;
  for (const name of names) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Number of single-letter edits and neighbour swaps that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, above[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, twoAbove[j - 2]! + 1);
      }
      row.push(least);
    }
    twoAbove = above;
    above = row;
  }
  return above[b.length]!;
}
