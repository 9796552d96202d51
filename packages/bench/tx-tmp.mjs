import { open, utf8 } from 'varve';
const db = await open(':memory:');
const a = db.keyspace('a', { key: utf8, value: utf8 });
for (let i = 0; i < 10000; i++) a.put('k' + i, 'v'.repeat(100));
const N = 300000;
const t0 = performance.now();
for (let i = 0; i < N; i++) {
  const k = 'k' + ((i * 7919) % 10000);
  a.put(k, a.get(k));
}
const bare = performance.now() - t0;
let t = performance.now();
for (let i = 0; i < N; i++) {
  const k = 'k' + ((i * 7919) % 10000);
  const tx = db.begin();
  tx.put(a, k, tx.get(a, k));
  tx.commit();
}
const man = performance.now() - t;
t = performance.now();
for (let i = 0; i < N; i++) {
  const k = 'k' + ((i * 7919) % 10000);
  await db.transaction((tx) => {
    tx.put(a, k, tx.get(a, k));
  });
}
const auto = performance.now() - t;
t = performance.now();
for (let i = 0; i < N; i++) {
  const k = 'k' + ((i * 7919) % 10000);
  await db.transaction(async (tx) => {
    tx.put(a, k, await tx.getForUpdate(a, k));
  });
}
const pess = performance.now() - t;
const rate = (ms) => (N / ms).toFixed(0) + 'K/s';
console.log(
  'bare',
  rate(bare),
  'begin',
  rate(man),
  'transaction',
  rate(auto),
  (auto / bare).toFixed(2),
  'forUpdate',
  rate(pess),
  db.stats().transactions,
);
await db.close();
