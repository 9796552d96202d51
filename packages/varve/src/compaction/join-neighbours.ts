/**
 * A row of operands as fewer, by an operator's `partialMerge`: neighbours pairwise, then what came of them, until no two join.
 *
 * Not from the left on: an operand that grows, as of `append`, would be copied again for each that follows it, which for 50,000
 * on one key took a quarter of a minute. In pairs each byte is copied once a round, and rounds are as many as halvings. It comes
 * to the same, because merging some operands first gives what merging all at once does (merge-operator.ts). Pure, but for
 * the operator.
 */

/** @param both one operand for two; undefined: they stay two */
export function joinNeighbours(
  operands: readonly Uint8Array[],
  both: (older: Uint8Array, newer: Uint8Array) => Uint8Array | undefined,
): readonly Uint8Array[] {
  let row = operands;
  // Those that do not join with their next are not asked again before one of the two has changed.
  let refusals: readonly boolean[] = [];
  for (;;) {
    const joined: Uint8Array[] = [];
    const refused: boolean[] = [];
    for (let at = 0; at < row.length; ) {
      const next = row[at + 1];
      const one = next === undefined || refusals[at] === true ? undefined : both(row[at]!, next);
      if (one === undefined) {
        joined.push(row[at]!);
        refused.push(true);
        at++;
        continue;
      }
      if (refused.length > 0) refused[refused.length - 1] = false;
      joined.push(one);
      refused.push(false);
      at += 2;
    }
    if (joined.length === row.length) return row;
    row = joined;
    refusals = refused;
  }
}
