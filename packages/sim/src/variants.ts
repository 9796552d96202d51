/**
 * What `kill` and `mutate` can be run with beside their seeds: ways that the engine can be put together, and the flags that
 * ask for them.
 */
import type { MemtableType, ReadMode } from 'varve/testing';

export interface Variants {
  readonly reads?: ReadMode | undefined;
  readonly memtable?: MemtableType | undefined;
}

/** The end of a command line that replays something with the same variants. */
export function flagsOf({ reads, memtable }: Variants): string {
  const flag = (name: string, value: string | undefined): string =>
    value === undefined ? '' : ` --${name} ${value}`;
  return flag('reads', reads) + flag('memtable', memtable);
}
