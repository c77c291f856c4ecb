"""pgqueuer, over asyncpg, the faster of its drivers."""

import asyncio
import json
from datetime import timedelta

import asyncpg
from measure import BATCH, CONCURRENCY, DATABASE, PHASE, run, tell
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.queries import Queries


async def main():
    pool = await asyncpg.create_pool(DATABASE, min_size=2, max_size=12)
    driver = AsyncpgPoolDriver(pool)
    queries = Queries(driver)
    if PHASE == "prepare":
        await queries.install()
        tell({})

    async def insert(jobs):
        payloads = [json.dumps(job).encode() for job in jobs]
        await queries.enqueue(["peer"] * len(jobs), payloads, [0] * len(jobs))

    async def work(handled):
        worker = PgQueuer(driver)

        @worker.entrypoint("peer")
        async def peer(job):
            handled.one(json.loads(job.payload)["number"])

        await worker.run(dequeue_timeout=timedelta(seconds=1), batch_size=BATCH, max_concurrent_tasks=None)

    await run(insert, lambda job: insert([job]), work)


asyncio.run(main())
