"""Durable queues on the same PostgreSQL.

A queue is measured so: `enqueue` jobs in calls of 500; `drain` them with 32 at once; on another database, `latency` from the
offer of a job to its start while 200 are offered a second. All of it once more while a transaction is open that began before,
as a backup or a report holds one. CPU is that of the runner and of the server. Who has not drained all after a minute is
told by what was drained until then.
"""

import json
import os
import resource
import subprocess
from importlib.metadata import version

import psycopg
from programs import HERE, PYTHON, TARGET, crate, node, package
from standing import standing

JOBS = int(os.environ.get("JOBS", 50_000))
OFFERS = min(JOBS, 2_000)
LIMIT = 600
DRAIN = 60

QUEUES = {
    "Silta": ([str(TARGET / "queue-silta")], lambda: "this tree", {}),
    "graphile-worker": (node("queue-graphile.mjs"), lambda: package("graphile-worker"), {}),
    "graphile-worker, local queue": (node("queue-graphile.mjs"), lambda: package("graphile-worker"), {"LOCAL": "1"}),
    "pg-boss": (node("queue-pgboss.mjs"), lambda: package("pg-boss"), {}),
    "procrastinate": (PYTHON + [str(HERE / "python/queue_procrastinate.py")], lambda: version("procrastinate"), {}),
    "pgqueuer": (PYTHON + [str(HERE / "python/queue_pgqueuer.py")], lambda: version("pgqueuer"), {}),
    "apalis-postgres": ([str(TARGET / "queue-apalis")], lambda: crate("apalis-postgres"), {}),
}


def phase(server, queue, name, jobs, url):
    """Runs one phase; what it tells, and the CPU it took."""
    command, _, more = QUEUES[queue]
    children = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    before = server.cpu() + children()
    process = subprocess.Popen(
        [*command, name, str(jobs)], env={**os.environ, **more, "DATABASE_URL": url, "DRAIN_SECS": str(DRAIN)},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    try:
        told, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return {"timeout": True}
    if process.returncode:
        return {"failed": process.returncode}
    result = json.loads(told.strip().splitlines()[-1]) if told.strip() else {}
    return {**result, "cpu": server.cpu() + children() - before}


def analyse(url):
    """What autovacuum does within a minute: plans that were made for empty tables are made again."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def measure(server, queue, held):
    """All phases of one queue."""
    url = server.database("peer")
    done = {"prepare": phase(server, queue, "prepare", 0, url)}
    holder = psycopg.connect(url) if held else None
    if holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT txid_current()")
    done["enqueue"] = phase(server, queue, "enqueue", JOBS, url)
    analyse(url)
    done["drain"] = phase(server, queue, "drain", JOBS, url)
    if holder:
        holder.close()
    url = server.database("peer")
    phase(server, queue, "prepare", 0, url)
    done["latency"] = phase(server, queue, "latency", OFFERS, url)
    return done


def cell(result, key, digits=0):
    if result.get("timeout"):
        return f"over {LIMIT} s"
    if "failed" in result or result.get(key) is None:
        return "failed"
    return f"{result[key]:,.{digits}f}"


def cpu(done):
    """Seconds of CPU for 10,000 jobs, enqueued and drained."""
    work = [(done["enqueue"].get("cpu"), JOBS), (done["drain"].get("cpu"), done["drain"].get("handled"))]
    return sum(c / n * 10_000 for c, n in work) if all(c and n for c, n in work) else None


def rows(results):
    for queue, done in results.items():
        took = cpu(done)
        latency = " / ".join(cell(done["latency"], p, 1) for p in ("p50", "p95", "p99"))
        rates = f"{cell(done['enqueue'], 'rate')} | {cell(done['drain'], 'rate')}"
        yield f"| {queue} | {rates} | {latency} | {'–' if took is None else f'{took:.1f}'} |"


# What keeps us behind in a figure, and what it would take.
WHY = {
    "Enqueued": "They insert a row with two or three entries in indexes. Silta takes a document: it is read twice, "
    "to judge it and to keep "
    "it; each record is looked up, sealed, and written as four rows (the record, its version for the feed of changes, its "
    "content, what is owed) with fourteen entries in indexes, so that it can be shown later what arrived and when. To catch up, "
    "a version and its content would have to be one row, and what is owed be written only when it is planned.",
    "Drained": "They take a hundred jobs at once, ahead of work, and delete or mark them as many at a time. Silta "
    "reads each record back, "
    "asks its adapter what the destination will hold of it, gives it its place behind what is owed for the same learner, claims "
    "that under a lease with a token, and settles it with an attempt that stays as evidence: seven writes of rows for a job. It "
    "claims no more than it sends at once, because what a process held when it died is uncertain. To catch up, "
    "settling would have to go on beside claiming, and a plan would have to claim what it plans when nothing else waits.",
    "Start, p50": "Their jobs start after one commit and one look; Silta's after three commits (kept, planned, "
    "claimed), each of which a "
    "crash may follow without loss. They are some forty statements, and PostgreSQL spends longer on planning them than on "
    "doing them. To catch up, their plans would have to be kept (`plan_cache_mode`), which each of them must be shaped for, "
    "and whoever plans would have to claim in the same transaction.",
    "CPU": "It is the work that the other figures tell of; most of it is the server's.",
}


def stands(results, why):
    of = lambda phase, key: {queue: done[phase].get(key) for queue, done in results.items()}
    figures = {
        "Enqueued": (of("enqueue", "rate"), True),
        "Drained": (of("drain", "rate"), True),
        "Start, p50": (of("latency", "p50"), False),
        "Start, p95": (of("latency", "p95"), False),
        "CPU": ({queue: cpu(done) for queue, done in results.items()}, False),
    }
    return [standing(what, *figure, why.get(what, "")) for what, figure in figures.items()]


CHOSEN = os.environ["QUEUES"].split("|") if "QUEUES" in os.environ else list(QUEUES)
HEAD = "| | enqueued/s | drained/s | start p50 / p95 / p99, ms | CPU s per 10,000 |\n|---|---|---|---|---|"


def run(server, _):
    """Every queue, first without and then with a transaction held open."""
    results = []
    for held in (False, True):
        done = {}
        for queue in CHOSEN:
            done[queue] = measure(server, queue, held)
            print(queue, "held" if held else "", json.dumps(done[queue]), flush=True)
        results.append(done)
    return results


def versions(results):
    return [f"{queue} {QUEUES[queue][1]()}" for queue in results[0] if queue not in ("Silta", "graphile-worker, local queue")]


def report(results):
    plain, held = results
    return f"""## Durable queue
{JOBS:,} jobs of a kilobyte, enqueued in calls of 500, 32 at once; {OFFERS:,} offered at 200 a second for the start. For Silta a job is
a record that is taken as a document, judged, kept as a version, sealed, planned, encoded, sent and settled with its attempt;
for the others it is a row that is handled and done. Who had not drained all after {DRAIN} s is told by what was drained then.

{HEAD}
{chr(10).join(rows(plain))}

{chr(10).join(stands(plain, WHY))}

The same while a transaction is held open that began before:

{HEAD}
{chr(10).join(rows(held))}

{chr(10).join(stands(held, {}))}
"""
