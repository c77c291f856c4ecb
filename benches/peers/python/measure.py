"""What the runners of this language share; see ../src/lib.rs for what a runner is."""

import asyncio
import json
import os
import sys
import time

BATCH = 500
CONCURRENCY = 32
OFFERED = 200
DRAIN = int(os.environ.get("DRAIN_SECS", 600))

PHASE, JOBS = sys.argv[1], int(sys.argv[2])
DATABASE = os.environ["DATABASE_URL"]


def payload(number):
    """The payload of a job: a kilobyte in all."""
    rest = 1024 - len(json.dumps({"number": number, "text": ""}))
    return {"number": number, "text": "x" * rest}


def tell(result):
    print(json.dumps(result), flush=True)
    os._exit(0)


class Handled:
    """Handled jobs are counted, and their starts noted."""

    def __init__(self):
        self.starts, self.all = [], asyncio.Event()

    def one(self, number):
        self.starts.append((number, time.perf_counter()))
        if len(self.starts) == JOBS:
            self.all.set()

    def latencies(self, offered):
        taken = sorted((at - offered[number]) * 1e3 for number, at in self.starts)
        return {f"p{p}": taken[(len(taken) - 1) * p // 100] for p in (50, 95, 99)}


async def offer(one):
    """Offers one job after the other at the offered rate; when each was offered."""
    offered, began = [], time.perf_counter()
    for number in range(JOBS):
        await asyncio.sleep(max(0, began + number / OFFERED - time.perf_counter()))
        offered.append(time.perf_counter())
        await one(payload(number))
    return offered


async def run(insert, one, work):
    """Runs the phase: `work(handled)` is a worker, which runs until it is stopped."""
    handled, began = Handled(), time.perf_counter()
    rate = lambda: {"rate": JOBS / (time.perf_counter() - began)}
    if PHASE == "enqueue":
        for first in range(0, JOBS, BATCH):
            await insert([payload(number) for number in range(first, min(first + BATCH, JOBS))])
        tell(rate())
    worker = asyncio.create_task(work(handled))
    worker.add_done_callback(lambda task: task.cancelled() or task.result())
    if PHASE == "drain":
        try:
            await asyncio.wait_for(handled.all.wait(), DRAIN)
        except TimeoutError:
            pass
        count = len(handled.starts)
        tell({"rate": count / (time.perf_counter() - began), "handled": count})
    if PHASE == "latency":
        offered = await offer(one)
        await handled.all.wait()
        tell(handled.latencies(offered))
    raise SystemExit(f"no such phase: {PHASE}")
