import { expect, test } from 'vitest';
import { closed } from '../base/errors.ts';
import { WriteQueue } from './write-queue.ts';

class World {
  owed = 0;
  granted = 0;
  stalls = 0;
  onStall: (() => void) | undefined;
  readonly timers: { ms: number; run: () => void; isCancelled: boolean }[] = [];
  readonly order: string[] = [];
  readonly queue: WriteQueue = new WriteQueue({
    scheduler: {
      soon: () => undefined,
      after: (ms, run) => {
        const timer = { ms, run, isCancelled: false };
        this.timers.push(timer);
        return { cancel: () => void (timer.isCancelled = true) };
      },
    },
    owedMs: () => this.owed,
    stalled: () => {
      this.stalls++;
      this.onStall?.();
    },
    grant: (bytes) => {
      this.granted += bytes;
      this.owed = 7;
    },
    takeBack: (bytes) => void (this.granted -= bytes),
  });

  async write(name: string, giveUp?: Promise<never>): Promise<void> {
    await this.queue.turn(1, giveUp);
    this.order.push(name);
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

test('first come first served, one at a time, by one timer', async () => {
  const world = new World();
  const writes = ['a', 'b', 'c'].map((name) => world.write(name));
  await turns();
  expect(world.order).toEqual(['a']);
  expect(world.timers.filter(({ isCancelled }) => !isCancelled).map(({ ms }) => ms)).toEqual([7]);
  world.owed = 0;
  world.timers.at(-1)!.run();
  await turns();
  expect(world.order).toEqual(['a', 'b']);
  world.owed = 0;
  world.queue.serve();
  await Promise.all(writes);
  expect(world.order).toEqual(['a', 'b', 'c']);
  expect(world.granted).toBe(3);
});

test('without a time it waits to be served', async () => {
  const world = new World();
  world.owed = Infinity;
  const write = world.write('a');
  await turns();
  expect(world.timers).toEqual([]);
  expect(world.queue.length).toBe(1);
  world.owed = 0;
  world.queue.serve();
  await write;
});

test('who gives up is no longer in the way, also when its turn has just come', async () => {
  const world = new World();
  world.owed = Infinity;
  let giveUp: (error: Error) => void = () => undefined;
  const patience = new Promise<never>((_, reject) => (giveUp = reject));
  const first = world.write('a', patience);
  const second = world.write('b');
  giveUp(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  expect(world.queue.length).toBe(1);
  world.owed = 0;
  world.queue.serve();
  await second;
  const late = world.queue.turn(1, Promise.reject(new Error('late')));
  world.owed = 0;
  world.queue.serve();
  await expect(late).rejects.toThrow('late');
  expect(world.order).toEqual(['b']);
  expect(world.granted).toBe(1);
});

test('who finds no way on asks for room, and looks again: what came before that is told to nobody', async () => {
  const world = new World();
  world.owed = Infinity;
  world.onStall = () => void (world.owed = 0);
  await world.write('a');
  expect([world.stalls, world.order]).toEqual([1, ['a']]);
});

test('what asking for room sets going may serve the queue itself', async () => {
  const world = new World();
  world.owed = Infinity;
  world.onStall = () => {
    world.onStall = undefined;
    world.owed = 0;
    world.queue.serve();
  };
  const writes = [world.write('a'), world.write('b')];
  await turns();
  expect(world.order).toEqual(['a']);
  expect(world.timers.filter(({ isCancelled }) => !isCancelled)).toHaveLength(1);
  world.owed = 0;
  world.queue.serve();
  await Promise.all(writes);
});

test('abandoned, all get the error, also who comes later', async () => {
  const world = new World();
  world.owed = 50;
  const writes = [world.write('a'), world.write('b')];
  world.queue.abandon(closed('the database', {}));
  for (const write of writes) await expect(write).rejects.toMatchObject({ code: 'CLOSED' });
  expect(world.timers.every(({ isCancelled }) => isCancelled)).toBe(true);
  expect(world.granted).toBe(0);
  await expect(world.write('c')).rejects.toMatchObject({ code: 'CLOSED' });
});
