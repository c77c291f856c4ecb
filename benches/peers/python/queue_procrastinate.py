"""procrastinate, with its asynchronous connector."""

import asyncio

import procrastinate
from measure import CONCURRENCY, DATABASE, PHASE, run, tell

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=DATABASE, max_size=12))
handled = None


@app.task(name="peer")
async def peer(number, text):
    handled.one(number)


async def work(counter):
    global handled
    handled = counter
    await app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False)


async def main():
    async with app.open_async():
        if PHASE == "prepare":
            await app.schema_manager.apply_schema_async()
            tell({})
        await run(lambda batch: peer.batch_defer_async(*batch), lambda job: peer.defer_async(**job), work)


asyncio.run(main())
