import { expect, test } from 'vitest';
import { describeFlight, type FlightKey, readFlights } from './flights.ts';

test('the first 1,000 flights come with key and value as the demo stores them', async () => {
  const flights = await readFlights(1_000);
  expect(flights).toHaveLength(1_000);
  expect(flights[0]).toEqual([
    ['LAS', '2001-01-01T00:01', 0],
    { destination: 'PHL', distance: 2176, delay: 33 },
  ]);
  for (const [row, [key, flight]] of flights.entries()) {
    expect(key).toEqual([
      expect.stringMatching(/^[A-Z]{3}$/),
      expect.stringMatching(/^2001-01-01T\d\d:\d\d$/),
      row,
    ]);
    expect(flight).toEqual({
      destination: expect.stringMatching(/^[A-Z]{3}$/),
      distance: expect.any(Number),
      delay: expect.any(Number),
    });
  }
  const times = flights.map(([key]) => key[1]!);
  expect(times).toEqual(times.toSorted());
});

test('a flight is described in words', () => {
  const key: FlightKey = ['HNL', '2001-01-17T06:30', 7];
  const flight = { destination: 'LAX', distance: 2556, delay: 12 };
  expect(describeFlight(key, flight)).toBe('HNL to LAX  2001-01-17 06:30  2556 miles  12 min late');
  expect(describeFlight(key, { ...flight, delay: -3 })).toContain('3 min early');
  expect(describeFlight(key, { ...flight, delay: 0 })).toContain('on time');
});
