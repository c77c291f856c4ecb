// pg-boss: batches of the concurrency, polled as often as it allows.

import PgBoss from 'pg-boss';
import { CONCURRENCY, database, run } from './measure.mjs';

const boss = new PgBoss({ connectionString: database, supervise: true });
boss.on('error', (error) => {
  throw error;
});
await boss.start();

await run({
  prepare: () => boss.createQueue('peer'),
  insert: (batch) => boss.insert(batch.map((data) => ({ name: 'peer', data }))),
  one: (data) => boss.send('peer', data),
  work: async (handled) => {
    const options = { batchSize: CONCURRENCY, pollingIntervalSeconds: 0.5 };
    await boss.work('peer', options, async (jobs) => jobs.forEach((job) => handled.one(job.data.number)));
  },
});
