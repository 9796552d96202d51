/** Lines over time, as data: what the terminal (terminal.ts) and an SVG file (svg-lines.ts) draw. Pure functions. */

export type Point = readonly [x: number, y: number];

export interface Line {
  readonly label: string;
  readonly points: readonly Point[];
}

export interface LinePanel {
  readonly title: string;
  /** What x counts: "million operations", "s". */
  readonly unit: string;
  readonly lines: readonly Line[];
}

/**
 * At most about `most` of the points: of each stretch of x the one with the highest y, since a plot of what a database
 * costs must not lose its peaks.
 */
export function thinned(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  const first = points[0]![0];
  const width = (points.at(-1)![0] - first) / most;
  if (width <= 0) return points.slice(0, most);
  const highest = new Map<number, Point>();
  for (const point of points) {
    const stretch = Math.floor((point[0] - first) / width);
    const known = highest.get(stretch);
    if (known === undefined || point[1] > known[1]) highest.set(stretch, point);
  }
  return [...highest.values()];
}
