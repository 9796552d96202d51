/** Which names the simulated disk keeps and loses in a crash. Each claim about "may" is shown over many seeds. */
import { describe, expect, test } from 'vitest';
import { readFile } from './file-system.ts';
import { bytes, durable, names, outcomes, put } from './sim-fs.suite.ts';
import type { SimFs } from './sim-fs.ts';

describe('names', () => {
  test('a created name needs a sync of its directory, whatever was synced of the file', () => {
    const fs = durable(() => undefined);
    put(fs, '/db/a', bytes(10, 1), true);
    expect(fs.pendingNames).toBe(1);
    expect(outcomes(fs, names)).toEqual(new Set(['', 'a']));
  });

  test('a name may survive without the data', () => {
    const fs = durable(() => undefined);
    put(fs, '/db/a', bytes(10, 1), false);
    fs.syncDirectory('/db');
    const seen = outcomes(fs, (after) => String(readFile(after, '/db/a').length));
    expect([...seen]).toEqual(expect.arrayContaining(['0', '10']));
  });

  test('independent changes are lost independently', () => {
    const fs = durable((disk) => {
      put(disk, '/db/1', bytes(0, 0));
      put(disk, '/db/2', bytes(0, 0));
    });
    fs.remove('/db/1');
    fs.remove('/db/2');
    expect(outcomes(fs, names)).toEqual(new Set(['', '1', '2', '1 2']));
  });

  test('a rename is atomic: the old name or the new one, never both or none', () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(1, 1)));
    fs.rename('/db/a', '/db/b');
    expect(outcomes(fs, names)).toEqual(new Set(['a', 'b']));
  });

  test('a rename over another file leaves the old one or the new one there', () => {
    const fs = durable((disk) => {
      put(disk, '/db/current', bytes(1, 1));
      put(disk, '/db/next', bytes(1, 2));
    });
    fs.rename('/db/next', '/db/current');
    const seen = outcomes(fs, (after) => `${names(after)}: ${readFile(after, '/db/current')[0]}`);
    expect(seen).toEqual(new Set(['current next: 1', 'current: 2']));
  });

  test('a created and renamed file has one name or none', () => {
    const fs = durable(() => undefined);
    put(fs, '/db/a', bytes(1, 1));
    fs.rename('/db/a', '/db/b');
    expect(outcomes(fs, names)).toEqual(new Set(['', 'a', 'b']));
  });

  test('link and remove never lose both names', () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(1, 1)));
    fs.link('/db/a', '/db/b');
    fs.remove('/db/a');
    expect(outcomes(fs, names)).toEqual(new Set(['a', 'b', 'a b']));
  });

  test('a name that is taken anew is kept only with its earlier changes', () => {
    const fs = durable((disk) => put(disk, '/db/a', bytes(1, 1)));
    fs.rename('/db/a', '/db/b');
    put(fs, '/db/a', bytes(1, 2));
    expect(outcomes(fs, names)).toEqual(new Set(['a', 'b', 'a b']));
  });

  test('a directory needs a sync of its parent', () => {
    const made = (): SimFs => {
      const fs = durable(() => undefined);
      fs.makeDirectory('/db/archive');
      put(fs, '/db/archive/a', bytes(1, 1));
      fs.syncDirectory('/db/archive');
      return fs;
    };
    expect(outcomes(made(), names)).toEqual(new Set(['', 'archive']));
    const fs = made();
    fs.syncDirectory('/db');
    expect(outcomes(fs, (after) => after.list('/db/archive').join())).toEqual(new Set(['a']));
  });

  test('a rename between directories needs a sync of both', () => {
    const fs = durable((disk) => {
      disk.makeDirectory('/db/archive');
      put(disk, '/db/a', bytes(1, 1));
    });
    const look = (after: SimFs): string => `${after.list('/db').join()} ${after.list('/db/archive').join()}`;
    fs.rename('/db/a', '/db/archive/a');
    fs.syncDirectory('/db');
    expect(outcomes(fs, look)).toEqual(new Set(['a,archive ', 'archive a']));
  });

  test('after both syncs the move stands', () => {
    const fs = durable((disk) => {
      disk.makeDirectory('/db/archive');
      put(disk, '/db/a', bytes(1, 1));
    });
    fs.rename('/db/a', '/db/archive/a');
    fs.syncDirectory('/db');
    fs.syncDirectory('/db/archive');
    expect(fs.pendingNames).toBe(0);
    expect(outcomes(fs, (after) => after.list('/db/archive').join())).toEqual(new Set(['a']));
  });

  test('what a durable change builds on is durable too', () => {
    const fs = durable((disk) => {
      disk.makeDirectory('/db/archive');
      put(disk, '/db/a', bytes(1, 1));
    });
    fs.rename('/db/a', '/db/archive/a');
    put(fs, '/db/a', bytes(1, 2));
    fs.syncDirectory('/db');
    const look = (after: SimFs): string =>
      `${readFile(after, '/db/a')[0]} ${readFile(after, '/db/archive/a')[0]}`;
    expect(outcomes(fs, look)).toEqual(new Set(['2 1']));
  });

  test('two hard links are one file after the crash too', () => {
    const fs = durable((disk) => {
      put(disk, '/db/a', bytes(512, 1));
      disk.link('/db/a', '/db/b');
    });
    put(fs, '/db/a', bytes(512, 2), false);
    outcomes(fs, (after) => {
      expect(after.status('/db/a')?.inode).toBe(after.status('/db/b')?.inode);
      expect(readFile(after, '/db/a')).toEqual(readFile(after, '/db/b'));
      return '';
    });
  });
});
