"""Validates EDC credentials against the Commission's SHACL shapes.

usage: shacl.py SCHEMAS_DIR < questions.ndjson

A question is {"edition": "3.1" | "3.2" | "upload", "shapes": "generic-full" …, "credential": {…}}; the answer, one line
for each, {"conforms": bool, "targets": n, "results": [[path, constraint, value], …]}. JSON-LD is read by pyld with the
contexts of that edition; nothing is ever fetched.
"""

import functools
import json
import multiprocessing
import pathlib
import sys

import pyld
import rdflib
from elm_rules import EDITIONS, PROFILES
from pyld import jsonld
from pyshacl import validate

SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")
CREDENTIAL = rdflib.URIRef("http://data.europa.eu/snb/model/elm/EuropeanDigitalCredential")
W3C = "https://www.w3.org/2018/credentials/v1"
EDC = "http://data.europa.eu/snb/model/context/edc-ap"
SCHEMAS = pathlib.Path(sys.argv[1])


@functools.cache
def context(url, edition):
    file = SCHEMAS / "w3c-credentials-v1.jsonld" if url == W3C else SCHEMAS / EDITIONS[edition] / "edc-ap-context.jsonld"
    return json.loads(file.read_text("utf-8"))


@functools.cache
def shapes(profile, edition):
    graph = rdflib.Graph()
    while profile:
        graph.parse(SCHEMAS / EDITIONS[edition] / f"EDC-{profile}.ttl", format="turtle")
        profile = PROFILES[profile]
    return graph


def answer(line):
    question = json.loads(line)
    edition = question["edition"]

    def load(url, _options):
        if url not in (W3C, EDC):
            raise jsonld.JsonLdError("not one of the contexts", "unknown context")
        return {"contextUrl": None, "documentUrl": url, "document": context(url, edition), "contentType": "application/ld+json"}

    try:
        options = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": load}
        quads = jsonld.to_rdf(question["credential"], options)
    except pyld.jsonld.JsonLdError as error:
        return json.dumps({"conforms": False, "targets": 0, "results": [["", "not JSON-LD", str(error.type)]]})
    data = rdflib.Graph()
    data.parse(data=quads, format="nt")
    targets = len(list(data.subjects(rdflib.RDF.type, CREDENTIAL)))
    graph = shapes(question["shapes"], edition)
    conforms, report, _ = validate(data, shacl_graph=graph, inference="none", do_owl_imports=False)
    results = [
        [str(report.value(r, SH[p]) or "") for p in ("resultPath", "sourceConstraintComponent", "value")]
        for r in report.subjects(rdflib.RDF.type, SH.ValidationResult)
    ]
    return json.dumps({"conforms": conforms, "targets": targets, "results": results})


if __name__ == "__main__":
    with multiprocessing.Pool() as pool:
        for verdict in pool.imap(answer, filter(str.strip, sys.stdin), chunksize=4):
            print(verdict)
