// Deliveries with BullMQ: `offer` adds the jobs of each line of standard input and answers with a line, `work` delivers.

import { createInterface } from 'node:readline';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });

async function deliver({ data: { url, key, line } }) {
  const answer = await fetch(url, {
    method: 'POST',
    body: line,
    headers: { 'idempotency-key': key },
    signal: AbortSignal.timeout(2000),
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
}

if (process.argv[2] === 'work') {
  new Worker('peer', deliver, {
    connection,
    concurrency: 40,
    lockDuration: 10_000,
    stalledInterval: 10_000,
    maxStalledCount: 1_000_000,
    settings: { backoffStrategy: (attempts) => Math.min(30_000, 1000 * 2 ** (attempts - 1)) },
  }).on('error', () => {});
} else {
  const queue = new Queue('peer', { connection });
  const opts = { attempts: 1_000_000, backoff: { type: 'custom' }, removeOnComplete: true };
  for await (const line of createInterface({ input: process.stdin })) {
    await queue.addBulk(JSON.parse(line).map((data) => ({ name: 'deliver', data, opts })));
    console.log('taken');
  }
}
