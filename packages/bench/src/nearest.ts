/**
 * "Did you mean": the known name nearest to a mistyped one. Case is ignored.
 *
 * Distance: letters to insert or delete (so a replaced letter counts two), which finds a name by its abbreviation:
 * "fillrnd" is nearer to "fillrandom" than to "fillseq".
 */

/** The nearest of `names`, or undefined when even that one differs in more than about half of its letters. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(3, Math.floor(given.length * 0.6)) + 1;
  for (const name of names) {
    const distance = insertionsAndDeletions(given.toLowerCase(), name);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

function insertionsAndDeletions(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(a[i - 1] === b[j - 1] ? above[j - 1]! : 1 + Math.min(above[j]!, row[j - 1]!));
    }
    above = row;
  }
  return above[b.length]!;
}
