import { open } from 'varve';
const db = await open(process.argv[2]!, { readOnly: true });
console.log(db.stats().sequence, db.keyspaces(), db.recovered);
await db.close();
