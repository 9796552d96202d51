/** The keyspaces that threads of the rig share. */
import { type Database, type Keyspace, utf8 } from 'varve';
import { COMMON, type Name } from './history.ts';

type TextKeyspace = Keyspace<string, string>;
export type Keyspaces = Readonly<Record<Name | 'common', TextKeyspace>>;

export function openKeyspaces(db: Database): Keyspaces {
  const open = (name: string): TextKeyspace => db.keyspace(name, { key: utf8, value: utf8 });
  return { a: open('a'), b: open('b'), common: open(COMMON) };
}
