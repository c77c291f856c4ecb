"""Runs all comparisons in turn and writes what was measured. Names on the command line select: `queues`, `faults`,
`reconciliation`; then nothing is written."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import faults
import queues
import reconciliation
from programs import ROOT
from server import Redis, Server

PARTS = {"queues": queues, "faults": faults, "reconciliation": reconciliation}


def machine(server, redis):
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    node = subprocess.run(["node", "-v"], capture_output=True, text=True).stdout.strip()
    return f"""{os.cpu_count()} cores ({cpu}), {platform.system()} {platform.release()}, PostgreSQL {server.version} with `fsync`
and `synchronous_commit` on, Redis {redis.version} with its append-only file synced every second, Node {node}, Python
{platform.python_version()}."""


def main():
    chosen = sys.argv[1:] or list(PARTS)
    server, redis = Server(), Redis()
    try:
        results = {name: PARTS[name].run(server, redis) for name in chosen}
        versions = ", ".join(v for name in chosen for v in PARTS[name].versions(results[name]))
        text = f"""# Performance beside peers

Written by `benches/peers/run.sh` in one run; never by hand. {machine(server, redis)}
{versions}.

""" + "\n".join(PARTS[name].report(results[name]) for name in chosen)
        print(text)
        if chosen == list(PARTS) and queues.JOBS >= 50_000:
            (ROOT / "docs/performance.md").write_text(text)
    finally:
        redis.stop()
        server.stop()


main()
