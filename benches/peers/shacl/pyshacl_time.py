"""How long pyshacl takes for one credential, beside `cargo bench --bench credential`.

usage: pyshacl_time.py SCHEMAS_DIR CREDENTIAL.json [CREDENTIAL.nt]

The credential is the one that the benchmark writes to $SILTA_BENCH_OUT. Prints the median milliseconds of reading it as
JSON-LD and of validating it against the published shapes; loading contexts and shapes is not counted. Writes the credential as
N-Triples for the other peer, if it is told where.
"""

import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "contract-tests"))

import rdflib
import shacl
from pyld import jsonld
from pyshacl import validate


def median(call, least=10):
    call()
    times = []
    while len(times) < least:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main():
    credential = json.loads(pathlib.Path(sys.argv[2]).read_text("utf-8"))
    shapes = shacl.shapes("generic-full", "3.1")

    def load(url, _options):
        return {"contextUrl": None, "documentUrl": url, "document": shacl.context(url, "3.1"), "contentType": "application/ld+json"}

    def read():
        quads = jsonld.to_rdf(credential, {"format": "application/n-quads", "documentLoader": load})
        graph = rdflib.Graph()
        graph.parse(data=quads, format="nt")
        return graph

    graph = read()
    if len(sys.argv) > 3:
        graph.serialize(sys.argv[3], format="nt")

    def judge():
        conforms, _, text = validate(graph, shacl_graph=shapes, inference="none", do_owl_imports=False)
        return conforms, text

    print(f"pyld + rdflib  {median(read):8.1f} ms")
    print(f"pyshacl        {median(judge):8.1f} ms   conforms: {judge()[0]}")


if __name__ == "__main__":
    main()
