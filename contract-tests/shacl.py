"""Validates EDC credentials against the Commission's SHACL shapes.

usage: shacl.py SHAPES_DIR CONTEXTS_DIR < credentials.ndjson

Prints one JSON verdict per line of input: {"conforms": bool, "targets": n, "results": [[path, constraint, value], ...]}.
JSON-LD is read by pyld with the contexts of CONTEXTS_DIR; nothing is ever fetched.
"""

import json
import pathlib
import sys

import pyld
import rdflib
from pyld import jsonld
from pyshacl import validate

SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")
CREDENTIAL = rdflib.URIRef("http://data.europa.eu/snb/model/elm/EuropeanDigitalCredential")
CONTEXTS = {
    "https://www.w3.org/2018/credentials/v1": "w3c-credentials-v1.jsonld",
    "http://data.europa.eu/snb/model/context/edc-ap": "edc-ap-context.jsonld",
}


def main(shapes_dir, contexts_dir):
    contexts = {url: json.loads((pathlib.Path(contexts_dir) / name).read_text("utf-8")) for url, name in CONTEXTS.items()}

    def load(url, _options):
        return {"contextUrl": None, "documentUrl": url, "document": contexts[url], "contentType": "application/ld+json"}

    jsonld.set_document_loader(load)
    shapes = rdflib.Graph()
    for name in ("EDC-generic-no-cv.ttl", "EDC-generic-full.ttl"):
        shapes.parse(pathlib.Path(shapes_dir) / name, format="turtle")
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(verdict(json.loads(line), shapes)), flush=True)


def verdict(credential, shapes):
    options = {"algorithm": "URDNA2015", "format": "application/n-quads"}
    try:
        quads = jsonld.to_rdf(credential, options)
    except pyld.jsonld.JsonLdError as error:
        return {"conforms": False, "targets": 0, "results": [["", "not JSON-LD", str(error.type)]]}
    data = rdflib.Graph()
    data.parse(data=quads, format="nt")
    targets = len(list(data.subjects(rdflib.RDF.type, CREDENTIAL)))
    conforms, report, _ = validate(data, shacl_graph=shapes, inference="none", do_owl_imports=False)
    results = [
        [str(report.value(r, SH[p]) or "") for p in ("resultPath", "sourceConstraintComponent", "value")]
        for r in report.subjects(rdflib.RDF.type, SH.ValidationResult)
    ]
    return {"conforms": conforms, "targets": targets, "results": results}


if __name__ == "__main__":
    main(*sys.argv[1:])
