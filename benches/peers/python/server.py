"""Servers of a comparison's own, on loopback, in directories of their own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg


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


class Redis:
    """A Redis that appends every write to a file, synced every second, as it does by default."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="silta-peers-")
        self.url = "redis://127.0.0.1:63799/0"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "63799", "--bind", "127.0.0.1", "--dir", self.directory, "--save", ""]
            + ["--appendonly", "yes", "--appendfsync", "everysec"],
            stdout=subprocess.DEVNULL,
        )
        while subprocess.run(["redis-cli", "-p", "63799", "ping"], capture_output=True).returncode:
            time.sleep(0.1)
        told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
        self.version = told.split("v=")[1].split()[0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.directory)
