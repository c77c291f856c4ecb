// graphile-worker: with LOCAL=1 as its page on performance advises (a local queue, completions in batches), else as it
// comes.

import { Logger, makeWorkerUtils, run as start } from 'graphile-worker';
import { CONCURRENCY, database, run } from './measure.mjs';

const local = process.env.LOCAL === '1';
const logger = new Logger(() => () => {});
const preset = {
  worker: {
    connectionString: database,
    concurrentJobs: CONCURRENCY,
    maxPoolSize: 12,
    pollInterval: 1000,
    logger,
    ...(local && { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }),
  },
};
const utils = await makeWorkerUtils({ connectionString: database, logger });

await run({
  prepare: () => utils.migrate(),
  insert: (batch) => utils.addJobs(batch.map((payload) => ({ identifier: 'peer', payload }))),
  one: (payload) => utils.addJob('peer', payload),
  work: (handled) => start({ preset, noHandleSignals: true, taskList: { peer: async ({ number }) => handled.one(number) } }),
});
