/** `refresh` beside writers that are processes of their own: one that is killed, and one that takes over from it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Database, type Keyspace, open, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryDirectory } from './temp-directory.ts';

/** Creating the two keyspaces took two sequences; write i has i + 3. */
const CREATIONS = 2;

class Writer {
  readonly process: ChildProcess;
  /** Highest sequence that it said is handed over. */
  handedOver = 0;
  readonly #closed: Promise<unknown>;

  constructor(path: string, first: number) {
    this.process = fork(
      fileURLToPath(new URL('fixtures/writes-on.ts', import.meta.url)),
      [path, String(first)],
      {
        execArgv: ['--conditions=varve-source'],
      },
    );
    this.process.on('message', (sequence: number) => (this.handedOver = sequence));
    this.#closed = once(this.process, 'exit');
    onTestFinished(() => void this.process.kill('SIGKILL'));
  }

  async reaches(sequence: number): Promise<void> {
    while (this.handedOver < sequence) {
      if (this.process.exitCode !== null) throw new Error('the writer has ended');
      await turn();
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.#closed;
  }

  async close(): Promise<void> {
    this.process.send('close');
    await this.#closed;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function check(reader: Database, sequence: number): void {
  const last = sequence - CREATIONS - 1;
  const spaces = ['left', 'right'].map(
    (name): Keyspace<string, string> => reader.keyspace(name, { key: utf8, value: utf8 }),
  );
  for (const space of spaces) {
    expect(space.get('last')).toBe(String(last));
    const entries = [...space.range({ prefix: 'k' })];
    expect(entries).toHaveLength(Math.min(50, last + 1));
    for (const [key, value] of entries) {
      const number = Number(key.slice(1));
      expect(value.slice(0, value.indexOf(':'))).toBe(String(last - ((last - number) % 50)));
    }
  }
}

test('a reader follows writers of other processes, over a kill and a close', async () => {
  const path = temporaryDirectory();
  const first = new Writer(path, 0);
  await first.reaches(CREATIONS + 10);
  const reader = await open(path, { readOnly: true, memoryBytesMax: 8 * 1024 * 1024 });
  onTestFinished(() => reader.close());
  let sequence = reader.stats().sequence;
  check(reader, sequence);
  let refreshes = 0;
  const followThrough = async (writer: Writer, upTo: number): Promise<void> => {
    while (sequence < upTo) {
      const before = writer.handedOver;
      const report = await reader.refresh();
      expect(report.sequence).toBeGreaterThanOrEqual(Math.max(before, sequence));
      sequence = report.sequence;
      check(reader, sequence);
      refreshes++;
      await turn();
      check(reader, sequence);
    }
  };
  await followThrough(first, 400);
  {
    using snapshot = reader.snapshot();
    const left = reader.keyspace('left', { key: utf8, value: utf8 });
    const then = [...left.range()];
    await followThrough(first, 900);
    expect([...snapshot.range(left)]).toEqual(then);
  }
  await first.kill();
  await followThrough(first, first.handedOver);
  const killedAt = (await reader.refresh()).sequence;
  expect(killedAt).toBeGreaterThanOrEqual(first.handedOver);

  const second = new Writer(path, killedAt - CREATIONS);
  await second.reaches(killedAt + 1);
  await followThrough(second, killedAt + 500);
  expect(reader.stats().incarnation).toBe(2);
  await second.close();
  const end = await reader.refresh();
  expect(end.sequence).toBeGreaterThanOrEqual(second.handedOver);
  check(reader, end.sequence);
  expect((await reader.refresh()).batches).toBe(0);
  expect(refreshes).toBeGreaterThan(20);
});
