"""Runs every runner in turn on a PostgreSQL of its own, and writes what was measured.

A queue is measured so: `enqueue` jobs in calls of 500; `drain` them with 32 at once; on another database, `latency` from the
offer of a job to its start while 200 are offered a second. All of it once more while a transaction is open that began before,
as a backup or a report holds one. CPU is that of the runner and of the server. A phase that takes longer than its limit is
told as that.
"""

import json
import os
import platform
import pwd
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psycopg

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
JOBS = int(os.environ.get("JOBS", 50_000))
OFFERS = min(JOBS, 4_000)
LIMIT = 600
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")) / "release"
PYTHON = [sys.executable]


def node(script):
    return ["node", str(HERE / "node" / script)]


def package(name):
    return json.loads((HERE / "node/node_modules" / name / "package.json").read_text())["version"]


def crate(name):
    packages = (HERE / "Cargo.lock").read_text().split("[[package]]")
    found = next(p for p in packages if f'name = "{name}"' in p)
    return found.split('version = "')[1].split('"')[0]


QUEUES = {
    "Silta": ([str(TARGET / "queue-silta")], lambda: "this tree", {}),
    "graphile-worker": (node("queue-graphile.mjs"), lambda: package("graphile-worker"), {}),
    "graphile-worker, local queue": (node("queue-graphile.mjs"), lambda: package("graphile-worker"), {"LOCAL": "1"}),
    "pg-boss": (node("queue-pgboss.mjs"), lambda: package("pg-boss"), {}),
    "procrastinate": (PYTHON + [str(HERE / "python/queue_procrastinate.py")], lambda: version("procrastinate"), {}),
    "pgqueuer": (PYTHON + [str(HERE / "python/queue_pgqueuer.py")], lambda: version("pgqueuer"), {}),
    "apalis-postgres": ([str(TARGET / "queue-apalis")], lambda: crate("apalis-postgres"), {}),
}


class Server:
    """A PostgreSQL that syncs, on loopback, in a directory of its own."""

    def __init__(self):
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        self.programs = programs[-1] if programs else Path(shutil.which("initdb")).parent
        self.directory = tempfile.mkdtemp(prefix="silta-peers-")
        # It refuses to run as root.
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
        self.run("initdb", "-D", "data", "-U", "silta", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = ["-c", f"unix_socket_directories={self.directory}", "-c", "listen_addresses=127.0.0.1"]
        options += ["-c", "port=54329", "-c", "max_connections=200", "-c", "shared_buffers=512MB"]
        self.process = self.start("postgres", "-D", "data", *options)
        while subprocess.run([self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", "54329"]).returncode:
            time.sleep(0.1)
        self.url = "postgres://silta@127.0.0.1:54329"
        with psycopg.connect(f"{self.url}/postgres") as connection:
            self.version = connection.execute("SHOW server_version").fetchone()[0]

    def options(self):
        unprivileged = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        return {"cwd": self.directory, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **unprivileged}

    def run(self, program, *args):
        subprocess.run([self.programs / program, *args], check=True, **self.options())

    def start(self, program, *args):
        return subprocess.Popen([self.programs / program, *args], **self.options())

    def database(self, name):
        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"{self.url}/{name}"

    def cpu(self):
        """Seconds of CPU of the server and all its processes so far, those that ended included."""
        ticks, ours = 0, self.process.pid
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(stat.parent.name) == ours:
                ticks += sum(map(int, fields[11:15]))
            elif int(fields[1]) == ours:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        shutil.rmtree(self.directory)


def phase(server, queue, name, jobs, url):
    """Runs one phase; what it tells, and the CPU it took."""
    command, _, more = QUEUES[queue]
    children = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    before = server.cpu() + children()
    process = subprocess.Popen(
        [*command, name, str(jobs)], env={**os.environ, **more, "DATABASE_URL": url},
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


def measure(server, queue, held):
    """All phases of one queue."""
    url = server.database("peer")
    done = {"prepare": phase(server, queue, "prepare", 0, url)}
    holder = psycopg.connect(url) if held else None
    if holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT txid_current()")
    done["enqueue"] = phase(server, queue, "enqueue", JOBS, url)
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


def rows(results):
    for queue, done in results.items():
        work = [done["enqueue"].get("cpu"), done["drain"].get("cpu")]
        cpu = f"{sum(work) / JOBS * 10_000:.1f}" if all(c is not None for c in work) else "–"
        latency = " / ".join(cell(done["latency"], p, 1) for p in ("p50", "p95", "p99"))
        yield f"| {queue} | {cell(done['enqueue'], 'rate')} | {cell(done['drain'], 'rate')} | {latency} | {cpu} |"


def report(server, plain, held):
    cpu = next(l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name"))
    head = "| | enqueued/s | drained/s | start p50 / p95 / p99, ms | CPU s per 10,000 |\n|---|---|---|---|---|"
    versions = ", ".join(f"{queue} {QUEUES[queue][1]()}" for queue in plain if queue != "Silta")
    return f"""# Performance beside peers

Written by `benches/peers/run.sh` in one run; never by hand. {os.cpu_count()} cores ({cpu}), {platform.system()}
{platform.release()}, PostgreSQL {server.version} with `fsync` and `synchronous_commit` on, Node
{subprocess.run(["node", "-v"], capture_output=True, text=True).stdout.strip()}, Python {platform.python_version()}. {versions}.

## Durable queue
{JOBS:,} jobs of a kilobyte, enqueued in calls of 500, 32 at once; {OFFERS:,} offered at 200 a second for the start. For Silta a job is
a record that is taken as a document, judged, kept as a version, sealed, planned, encoded, sent and settled with its attempt;
for the others it is a row that is handled and done.

{head}
{chr(10).join(rows(plain))}

The same while a transaction is held open that began before:

{head}
{chr(10).join(rows(held))}
"""


def main():
    server = Server()
    try:
        results = []
        for held in (False, True):
            done = {}
            for queue in sys.argv[1:] or QUEUES:
                done[queue] = measure(server, queue, held)
                print(queue, "held" if held else "", json.dumps(done[queue]), flush=True)
            results.append(done)
        text = report(server, *results)
        print(text)
        if JOBS >= 50_000 and len(sys.argv) == 1:
            (ROOT / "docs/performance.md").write_text(text)
    finally:
        server.stop()


main()
