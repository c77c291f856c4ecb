"""Where programs and peers are, and which version each is."""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
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
