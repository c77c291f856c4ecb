"""What `run.sh` measured, as a page.

usage: report.py DIR    with silta.txt, pyshacl.txt and shacl.txt of one run
"""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
MICROSECONDS = {"µs": 1.0, "ms": 1000.0}


def measured(file):
    """Lines that end in a time (what follows is a remark), in microseconds by what was measured."""
    lines = re.findall(r"^(\S.*?) +([\d.]+) (µs|ms)", Path(file).read_text("utf-8"), re.MULTILINE)
    return {what: float(figure) * MICROSECONDS[unit] for what, figure, unit in lines}


def crate(name):
    packages = (HERE / "Cargo.lock").read_text("utf-8").split("[[package]]")
    found = next(p for p in packages if f'name = "{name}"' in p)
    return found.split('version = "')[1].split('"')[0]


def told(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def time(microseconds):
    return f"{microseconds / 1000:,.1f} ms" if microseconds >= 1000 else f"{microseconds:,.0f} µs"


def main():
    work = Path(sys.argv[1])
    ours, pyshacl, shacl = (measured(work / f"{name}.txt") for name in ("silta", "pyshacl", "shacl"))
    conform = "conforms: True" in (work / "pyshacl.txt").read_text() and "conforms: true" in (work / "shacl.txt").read_text()
    if not conform:
        sys.exit("the peers do not find that the credential conforms")
    size = re.findall(r"^a credential of (\d+) bytes(.*)$", (work / "silta.txt").read_text("utf-8"), re.MULTILINE)
    cpu = next(l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if l.startswith("model name"))
    validate = ours["validate (copy and published 3.1)"]
    print(f"""# Credentials: how long they take

Written by `benches/peers/shacl/run.sh` in one run; never by hand. {os.cpu_count()} cores ({cpu}), {platform.system()}
{platform.release()}, {told(["rustc", "--version"])}, Python {platform.python_version()}, pyshacl {version("pyshacl")},
rdflib {version("rdflib")}, pyld {version("pyld")}, shacl {crate("shacl")}.

One micro-credential with its learner and six outcomes: {int(size[0][0]):,} bytes, with its drawn page {int(size[1][0]):,}. Medians,
one at a time. All three find that it conforms to the published shapes (3.1); shapes and contexts were loaded before.

| validate | time | times ours |
|---|---|---|
| Silta: rules over the JSON, with a copy of it | {time(validate)} | 1 |
| pyshacl: the shapes over a graph in memory | {time(pyshacl["pyshacl"])} | {pyshacl["pyshacl"] / validate:,.0f} |
| … and the graph made of the JSON (pyld, rdflib) | {time(pyshacl["pyld + rdflib"])} | {pyshacl["pyld + rdflib"] / validate:,.0f} |
| shacl (Rust): the shapes over a graph in memory | {time(shacl["shacl"])} | {shacl["shacl"] / validate:,.0f} |

A seal is beside a signature over the same bytes with the same library (`aws-lc-rs`) and nothing around it. Verifying a seal is
reading it, its signature, its certificate's chain to an anchor, issuer, form and validity.

| | bare signature | seal | ratio |
|---|---|---|---|""")
    for kind, bare in (("Rsa2048", "RSA-2048"), ("P256", "P-256")):
        for done, act in (("seal", "sign"), ("verify", "verify")):
            seal, signature = ours[f"{done} {kind}"], ours[f"bare {bare} {act}"]
            print(f"| {bare}: {done} | {time(signature)} | {time(seal)} | {seal / signature:.2f} |")
    print(f"""
Drawing the credential's page as an image takes {time(ours["draw its page (fi)"])}, writing it as PDF {time(ours["write its page as PDF (fi)"])}.""")


if __name__ == "__main__":
    main()
