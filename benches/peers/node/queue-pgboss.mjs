// pg-boss: large batches, asked for again as soon as one is done; by itself it polls twice a second at most.

import PgBoss from 'pg-boss';
import { BATCH, database, run } from './measure.mjs';

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
    const options = { batchSize: BATCH, pollingIntervalSeconds: 0.5 };
    const worker = await boss.work('peer', options, async (jobs) => {
      jobs.forEach((job) => handled.one(job.data.number));
      setImmediate(() => boss.notifyWorker(worker));
    });
  },
});
