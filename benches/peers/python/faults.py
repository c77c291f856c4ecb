"""Deliveries to twenty destinations while who delivers is killed.

Versions of records are offered at a steady rate, each to every destination; one in ten is the correction of a record a
second after it. A destination answers 5 % with 503 and 1 % never; one refuses connections until all others have everything. Who
delivers is killed by `kill -9` three times and started again. All wait 2 s for an answer, have 40 deliveries under way at once, put off
what failed for 1 s and then twice as long each time up to 30 s, and send the same key with every try.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from importlib.metadata import version

from programs import HERE, PYTHON, TARGET, node, package
from standing import standing

DELIVERIES = int(os.environ.get("DELIVERIES", 50_000))
DESTINATIONS = 20
ALIVE = range(DESTINATIONS - 1)
A_SECOND = 20
TENANT = "02469"
# How long nothing has to arrive before it is given up: longer than the longest pause.
PATIENCE = 45
# Who cannot keep up is given so long after the last offer, and told by what arrived until then.
LIMIT = 180


def offered():
    """Versions of records, as lines of JSON with their ids and versions, in the order they are offered."""
    versions, numbers = [], iter(range(DELIVERIES))
    while len(versions) < DELIVERIES // DESTINATIONS:
        at = len(versions)
        again = at - A_SECOND
        if again >= 0 and again % 10 == 0 and versions[again][1] == 1:
            versions.append((versions[again][0], 2))
        else:
            versions.append((f"A{next(numbers)}", 1))
    return [(record, revision, line(record, revision)) for record, revision in versions]


def line(record, revision):
    body = {"code": "C", "title": [{"lang": "en", "value": f"Version {revision}"}], "completed_on": "2026-05-12"}
    body["credits"] = {"ects": "5"}
    head = {"kind": "attainment", "institution": TENANT, "id": record, "learner": f"L-{record}"}
    return json.dumps({**head, "source": "sis", "source_revision": revision, "body": body})


class Sink:
    """The destinations: see ../src/bin/sink.rs."""

    def __init__(self):
        self.process = subprocess.Popen(
            [str(TARGET / "sink")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.urls = json.loads(self.process.stdout.readline())

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


class Peer:
    """Something that delivers, in a process that can be killed."""

    def start(self):
        raise NotImplementedError

    def restart(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.start()

    def spawn(self, command, **environment):
        self.process = subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=HERE / "python", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Silta(Peer):
    """One gateway on the PostgreSQL of the comparison."""

    LISTEN = "127.0.0.1:54380"

    def __init__(self, server, _, urls):
        self.directory = tempfile.TemporaryDirectory(prefix="silta-peers-")
        self.config = f"{self.directory.name}/silta.toml"
        text = f"""[server]
listen = '{self.LISTEN}'
[store]
url = '{server.database("faults")}'
[vault]
key_file = '{self.directory.name}/silta.key'
[delivery]
lease_secs = 10
max_backoff_secs = 30
[reconcile]
every_secs = 0
[[tenant]]
code = '{TENANT}'
"""
        for n, url in enumerate(urls):
            text += f"""[[connection]]
name = 'to-{n}'
tenant = '{TENANT}'
adapter = 'record'
concurrency = 2
[connection.settings]
url = '{url}'
token = 'any'
timeout_secs = 2
"""
        with open(self.config, "w") as file:
            file.write(text)
        self.run("migrate")
        self.token = self.run("token", "create", "faults", "--role", "admin").strip()
        self.start()

    def run(self, *command):
        told = subprocess.run(
            [TARGET / "silta", *command, "--config", self.config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        return told.stdout.decode()

    def start(self):
        self.spawn([TARGET / "silta", "serve", "--config", self.config])

    def offer(self, record, revision, line):
        request = urllib.request.Request(
            f"http://{self.LISTEN}/v1/tenants/{TENANT}/records?source=sis", line.encode(),
            {"authorization": f"Bearer {self.token}", "content-type": "application/x-ndjson"},
        )
        while True:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    outcome = json.load(answer)["outcomes"][0]["outcome"]
                    assert outcome in ("new", "updated", "unchanged"), outcome
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)


class Celery(Peer):
    """Celery with acknowledgement after the work; see celery_app.py."""

    def __init__(self, _, redis, urls):
        os.environ["REDIS_URL"] = redis.url
        import celery_app

        self.app, self.urls = celery_app, urls
        self.start()

    def start(self):
        self.spawn(
            [*PYTHON, "-m", "celery", "-A", "celery_app", "worker", "--pool=threads", "--concurrency=40", "--without-gossip",
             "--without-mingle"]
        )

    def offer(self, record, revision, line):
        for url in self.urls:
            self.app.deliver.delay(f"{url}/v1/tenants/{TENANT}/records", f"{record}:{revision}", line)


class BullMQ(Peer):
    """BullMQ; see ../node/faults-bullmq.mjs."""

    def __init__(self, _, redis, urls):
        self.environment = {"REDIS_URL": redis.url}
        self.urls = urls
        self.producer = subprocess.Popen(
            [*node("faults-bullmq.mjs"), "offer"], env={**os.environ, **self.environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )
        self.start()

    def start(self):
        self.spawn([*node("faults-bullmq.mjs"), "work"], **self.environment)

    def offer(self, record, revision, line):
        jobs = [{"url": f"{url}/v1/tenants/{TENANT}/records", "key": f"{record}:{revision}", "line": line} for url in self.urls]
        self.producer.stdin.write(json.dumps(jobs) + "\n")
        self.producer.stdin.flush()
        self.producer.stdout.readline()

    def stop(self):
        self.producer.kill()
        super().stop()


PEERS = {
    "Silta": (Silta, None),
    "Celery": (Celery, lambda: f"Celery {version('celery')}"),
    "BullMQ": (BullMQ, lambda: f"BullMQ {package('bullmq')}"),
}


def settled(sink, last, whom):
    """Waits until some destinations hold the last version of everything, or nothing arrives any more, or too late."""
    before, changed, began = -1, time.time(), time.time()
    while time.time() - changed < PATIENCE and time.time() - began < LIMIT:
        effects = sink.ask("effects")
        if effects != before:
            before, changed = effects, time.time()
        if effects >= len(last) * len(whom):
            held = [destination["held"] for destination in sink.ask("figures")]
            if all(held[n].get(record) == revision for n in whom for record, revision in last.items()):
                return time.time()
        time.sleep(1)
    return None


def measure(name, server, redis):
    sink = Sink()
    peer = PEERS[name][0](server, redis, sink.urls)
    versions, acknowledged = offered(), {}
    last = {record: revision for record, revision, _ in versions}
    kills = {len(versions) * quarter // 4 for quarter in (1, 2, 3)}
    began = time.time()
    for at, (record, revision, text) in enumerate(versions):
        if at in kills:
            peer.restart()
        time.sleep(max(0, began + at / A_SECOND - time.time()))
        peer.offer(record, revision, text)
        acknowledged[record, revision] = time.time()
    ended = time.time()
    converged = settled(sink, last, ALIVE)
    sink.ask("revive")
    revived = time.time()
    caught_up = settled(sink, last, range(DESTINATIONS))
    figures = sink.ask("figures")
    peer.stop()
    sink.stop()
    delays = sorted(
        at - acknowledged[record, revision] for n in ALIVE for record, revision, at in figures[n]["first"]
    )
    held = [(destination["held"].get(record), revision) for destination in figures for record, revision in last.items()]
    return {
        "lost": sum(there is None for there, _ in held),
        "different": sum(there is not None and there != revision for there, revision in held),
        "overtaken": sum(destination["overtaken"] for destination in figures),
        "repeated": sum(destination["repeated"] + destination["doubled"] for destination in figures),
        "p50": delays[len(delays) // 2], "p95": delays[len(delays) * 95 // 100],
        "converged": converged and converged - ended, "caught_up": caught_up and caught_up - revived,
    }


def run(server, redis):
    results = {}
    for name in PEERS:
        results[name] = measure(name, server, redis)
        print(name, json.dumps(results[name]), flush=True)
    return results


def versions(_):
    return [told() for _, told in PEERS.values() if told]


WHY = {
    "p50": "A job in Redis is in memory, synced to disk once a second, and handed to whoever waits for it; Silta's deliveries "
    "start after three commits to disk (kept, planned, claimed). To catch up, a crash would have to be allowed to lose some.",
    "p95": "What is owed for a learner goes out in order: a correction waits until its record was taken, through all its pauses, "
    "where a queue without order sends it at once and is overtaken. To catch up, the order would have to go.",
}


def report(results):
    seconds = lambda value: "never" if value is None else f"{max(0, value):.1f}"
    rows = [
        f"| {name} | {r['lost']:,} | {r['different']:,} | {r['overtaken']:,} | {r['repeated']:,} | {r['p50']:.2f} / {r['p95']:.2f} "
        f"| {seconds(r['converged'])} | {seconds(r['caught_up'])} |"
        for name, r in results.items()
    ]
    of = lambda key: {name: r[key] for name, r in results.items()}
    told = {"lost": "Lost", "different": "Different", "overtaken": "Overtaken", "repeated": "Sent again", "p50": "Delay, p50"}
    told.update(p95="Delay, p95", converged="Converged", caught_up="Caught up")
    stands = [standing(what, of(key), False, WHY.get(key, "")) for key, what in told.items()]
    return f"""## Delivery under faults
{DELIVERIES:,} deliveries over HTTP: versions of records, {A_SECOND} a second, each to {DESTINATIONS} destinations; one in ten is a
correction a second after its record. Every destination answers 5 % with 503 and 1 % never; one refuses connections until the
others have everything. Who delivers is killed three times by `kill -9`. All wait 2 s for an answer, have 40 deliveries under way
at once, and put off what failed for 1 s and then twice as long each time up to 30 s. Leases: Silta and BullMQ 10 s, Celery 60 s
(its longest pause has to fit in). Lost: not there at the end. Different: there in an older version. Overtaken: an older version
took effect after a newer one. Sent again: came once more after it had been taken. Who has not delivered all {LIMIT} s after the
last offer is told by what arrived until then.

| | lost | different | overtaken | sent again | delay of the living p50 / p95, s | converged after, s | the dead one once alive, s |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

{chr(10).join(stands)}
"""
