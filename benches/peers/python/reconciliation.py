"""What should be there against what is there: a million records on each side, with differences that are known."""

import json
import os
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psycopg
from programs import PYTHON, TARGET
from standing import standing

RECORDS = int(os.environ.get("RECORDS", 1_000_000))
DIFFERENCES = (0, 10, 1_000)


def line(number, ects):
    head = {"kind": "attainment", "tenant": "02469", "source": "sis", "institution": "02469", "id": f"A{number:08}"}
    body = {"title": [{"lang": "fi", "value": f"Opintojakso {number % 5_000}"}], "completed_on": f"2026-05-{number % 28 + 1:02}"}
    body.update(credits={"ects": str(ects)}, awarding_body={"scheme": "virta:organisaatio", "value": "02469"})
    return json.dumps({**head, "learner": f"L{number // 20:07}", "body": body}, separators=(",", ":"), ensure_ascii=False)


def documents(directory, differences):
    """Both documents, with so many keys that differ: of ten, two are missing, two are unexpected, six say something else."""
    expected, found = directory / "expected.ndjson", directory / f"found-{differences}.ndjson"
    step = RECORDS // differences if differences else RECORDS + 1
    with open(found, "w") as out:
        for number in range(RECORDS):
            kind = number // step % 10 if number % step == 0 and differences else None
            if kind in (0, 1):
                continue
            print(line(number, 4 if kind in range(4, 10) else 5), file=out)
            if kind in (2, 3):
                print(line(RECORDS + number, 5), file=out)
    if not expected.exists():
        with open(expected, "w") as out:
            for number in range(RECORDS):
                print(line(number, 5), file=out)
    return expected, found


def timed(command, **options):
    """Runs a program: seconds, peak of its largest process in MB, and what it printed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, **options)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        out.seek(0)
        return seconds, usage.ru_maxrss / 1024, out.read().decode()


def silta(expected, found):
    seconds, peak, out = timed([TARGET / "silta", "reconcile", "--expected", expected, "--found", found], stderr=subprocess.DEVNULL)
    return {"compare": seconds, "peak": peak, "found": len(out.splitlines())}


def sort_and_comm(expected, found):
    script = 'sort -o "$3/a" "$1" & sort -o "$3/b" "$2" & wait; comm -3 "$3/a" "$3/b"'
    with tempfile.TemporaryDirectory(dir=expected.parent) as scratch:
        command = ["bash", "-c", script, "sort-and-comm", expected, found, scratch]
        seconds, peak, out = timed(command, env={**os.environ, "LC_ALL": "C"})
    return {"compare": seconds, "peak": peak, "found": len({json.loads(text)["id"] for text in out.splitlines()})}


def loaded(url, expected, found):
    """Loads both documents into tables: the seconds that takes."""
    began = time.perf_counter()
    with psycopg.connect(url, autocommit=True) as connection:
        for table, document in (("expected", expected), ("found", found)):
            connection.execute(f"CREATE TABLE {table} (id bigint, line text NOT NULL)")
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy, open(document) as lines:
                for text in lines:
                    start = text.index('"id":"A') + 7
                    copy.write_row((int(text[start : start + 8]), text.rstrip("\n")))
            connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
            connection.execute(f"VACUUM ANALYZE {table}")
    return time.perf_counter() - began


def sql(url):
    query = "SELECT count(*) FROM expected FULL JOIN found USING (id) WHERE expected.line IS DISTINCT FROM found.line"
    began = time.perf_counter()
    with psycopg.connect(url) as connection:
        count = connection.execute(query).fetchone()[0]
    return {"compare": time.perf_counter() - began, "found": count}


def reladiff(url, joined):
    # In a process of its own: it keeps threads and connections.
    script = (
        "import sys, reladiff as r\n"
        "a, b = (r.connect_to_table(sys.argv[1], t, 'id', thread_count=2, extra_columns=('line',)) for t in ('expected', 'found'))\n"
        "how = r.Algorithm.JOINDIFF if sys.argv[2] == 'join' else r.Algorithm.HASHDIFF\n"
        "print(len({row[0] for _, row in r.diff_tables(a, b, algorithm=how)}))\n"
    )
    command = [*PYTHON, "-c", script, url.replace("postgres:", "postgresql:"), "join" if joined else "hash"]
    seconds, peak, out = timed(command, stderr=subprocess.DEVNULL)
    return {"compare": seconds, "peak": peak, "found": int(out.strip() or -1)}


def run(server, _):
    results = {}
    with tempfile.TemporaryDirectory(prefix="silta-peers-") as directory:
        for differences in DIFFERENCES:
            expected, found = documents(Path(directory), differences)
            done = {"Silta": silta(expected, found), "`sort` and `comm`": sort_and_comm(expected, found)}
            url = server.database("reconciliation")
            load = loaded(url, expected, found)
            done["SQL, full outer join"] = {**sql(url), "load": load}
            done["reladiff, hashes"] = {**reladiff(url, False), "load": load}
            done["reladiff, join"] = {**reladiff(url, True), "load": load}
            for name, result in done.items():
                print(name, differences, json.dumps(result), flush=True)
                results.setdefault(name, {})[differences] = result
            found.unlink()
    return results


def versions(_):
    told = subprocess.run(["sort", "--version"], capture_output=True, text=True).stdout.splitlines()[0].split()[-1]
    return [f"reladiff {version('reladiff')}", f"coreutils {told}"]


READS = (
    "Comparing bytes needs neither reading nor judging: two exports that order their fields differently differ in every line "
    "for it, and a field that differs is not named. To be as fast, Silta would have to believe a line that equals one of the "
    "other side byte for byte before reading either, and read only what is left."
)
LOADED = (
    "A database that holds both sides sorted only merges them. Silta's own ledger keeps a digest of every record for the same "
    "reason; of two bare files nothing is known before they are read."
)


def report(results):
    def cell(differences, result):
        odd = "" if result["found"] == differences else f" ({result['found']:,} found)"
        return f"{result['compare']:.1f}{odd}"

    rows = []
    for name, done in results.items():
        loads = [result["load"] for result in done.values() if "load" in result]
        peaks = [result["peak"] for result in done.values() if "peak" in result]
        load = f"{sum(loads) / len(loads):.1f}" if loads else "–"
        peak = f"{max(peaks):,.0f}" if peaks else "–"
        rows.append(f"| {name} | {load} | " + " | ".join(cell(d, done[d]) for d in DIFFERENCES) + f" | {peak} |")
    bare = lambda d: {name: done[d]["compare"] for name, done in results.items()}
    whole = lambda d: {name: done[d]["compare"] + done[d].get("load", 0) for name, done in results.items()}
    stands = [standing(f"{d:,} differences, loading included", whole(d), False, "" if d else READS) for d in DIFFERENCES]
    stands += [standing(f"{d:,} differences, after loading", bare(d), False, "" if d else LOADED) for d in DIFFERENCES]
    return f"""## Reconciliation
{RECORDS:,} records against {RECORDS:,}, as lines of JSON. Seconds until all differences are told, with 0, 10 and 1,000 of them;
what has to be loaded into a database first is loaded before, and told apart. The peak is that of the largest process, without
the database's. Silta reads each line as a record, and compares what records mean; the others compare bytes.

| | loaded, s | 0 | 10 | 1,000 | peak MB |
|---|---|---|---|---|---|
{chr(10).join(rows)}

{chr(10).join(stands)}
"""
