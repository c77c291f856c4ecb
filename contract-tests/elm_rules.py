"""Reads the facts of the Commission's contexts and SHACL shapes into the tables that the ELM adapter checks by.

usage: elm_rules.py SCHEMAS_DIR terms|shapes > TABLE

Every line that does not hold in all editions says in which it does (`@3.1`, `@3.2,upload`). A contract test keeps the
tables in the adapter equal to what this prints.
"""

import json
import pathlib
import sys

import rdflib
from rdflib.collection import Collection

SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")
EDITIONS = {"3.1": ".", "3.2": "v3.2-lts", "upload": "issuer-upload-2.2.2"}
PROFILES = {
    "generic-no-cv": None,
    "generic-full": "generic-no-cv",
    "accredited": "generic-full",
    "converted": "generic-full",
    "issuedByMandate": "generic-full",
    "diplomaSupplement": "accredited",
}
PREFIXES = {
    "elm": "http://data.europa.eu/snb/model/elm/",
    "cred": "https://www.w3.org/2018/credentials#",
    "sec": "https://w3id.org/security#",
    "adms": "http://www.w3.org/ns/adms#",
    "dc": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "org": "http://www.w3.org/ns/org#",
    "rov": "http://www.w3.org/ns/regorg#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "person": "http://www.w3.org/ns/person#",
    "locn": "http://www.w3.org/ns/locn#",
    "clv": "http://data.europa.eu/m8g/",
}


def compact(iri):
    for prefix, namespace in PREFIXES.items():
        rest = str(iri).removeprefix(namespace)
        if rest != str(iri) and rest and "/" not in rest:
            return f"{prefix}:{rest}"
    return f"<{iri}>"


def local(iri):
    return str(iri).rsplit("/", 1)[-1].rsplit("#", 1)[-1]


def merged(by_edition):
    """The lines of a dictionary `edition: [line]`, each with the editions it holds in unless that is all of them."""
    lines = {}
    for edition, rows in by_edition.items():
        for row in rows:
            if edition not in lines.setdefault(row, []):
                lines[row].append(edition)
    for row, editions in sorted(lines.items()):
        yield row if len(editions) == len(EDITIONS) else f"{row} @{','.join(editions)}"


# Terms -------------------------------------------------------------------------------------------------------------

def terms(schemas):
    w3c = json.loads((schemas / "w3c-credentials-v1.jsonld").read_text("utf-8"))["@context"]
    scoped = w3c["VerifiableCredential"]["@context"]
    by_edition = {}
    for edition, folder in EDITIONS.items():
        edc = json.loads((schemas / folder / "edc-ap-context.jsonld").read_text("utf-8"))["@context"]
        rows = [row(edc, term, value, "") for term, value in edc.items()]
        rows += [row(w3c, term, w3c[term], "") for term in ("VerifiableCredential", "VerifiablePresentation")]
        rows += [row(scoped, term, value, " credential") for term, value in scoped.items() if isinstance(value, dict)]
        by_edition[edition] = [line for line in rows if line]
    for prefix, namespace in PREFIXES.items():
        print(f"{prefix}: {namespace}")
    # Where a context has a prefix that ends without a separator, what it names is not what was meant.
    for line in merged(by_edition):
        print(line)


def row(context, term, value, scope):
    definition = {"@id": value} if isinstance(value, str) else value
    iri = definition["@id"]
    if isinstance(value, str) and (iri.endswith(("#", "/")) or iri.startswith("@") or term in context and iri.endswith("m8g")):
        return None
    prefix, _, rest = iri.partition(":")
    if not rest.startswith("//"):
        iri = context[prefix] + rest
    kind = definition.get("@type", "plain" if not isinstance(value, str) else "type")
    kind = {"@id": "node"}.get(kind, kind)
    if term[0].isupper():
        kind = "type"
    if definition.get("@container") == "@language":
        kind = "language"
    if definition.get("@container") == "@graph":
        kind = "graph"
    return f"{term} {compact(iri)} {kind}{scope}"


# Shapes ------------------------------------------------------------------------------------------------------------

def shapes(schemas):
    print("\n".join(f"{prefix}: {namespace}" for prefix, namespace in PREFIXES.items()))
    for profile, imported in PROFILES.items():
        print(f"\nprofile {profile}" + (f" {imported}" if imported else ""))
        found = {}
        for edition, folder in EDITIONS.items():
            graph = rdflib.Graph()
            graph.parse(schemas / folder / f"EDC-{profile}.ttl", format="turtle")
            for shape in set(graph.subjects(rdflib.RDF.type, SH.NodeShape)):
                if active(graph, shape):
                    for name in [compact(c) for c in graph.objects(shape, SH.targetClass)] or [local(shape)]:
                        found.setdefault(name, {}).setdefault(edition, []).extend(rules(graph, shape))
        for name, by_edition in sorted(found.items(), key=lambda item: (":" in item[0], item[0])):
            print(f"\nshape {name}")
            print("\n".join(merged(by_edition)))


def active(graph, shape):
    return str(graph.value(shape, SH.deactivated)) != "true"


def rules(graph, shape):
    own = constraints(graph, shape)
    if own:
        yield f". {own}"
    for part in graph.objects(shape, SH.property):
        if active(graph, part):
            yield f"{compact(graph.value(part, SH.path))} {constraints(graph, part)}".strip()


def constraints(graph, shape):
    found = []
    for name, key, show in [
        ("min", SH.minCount, str),
        ("max", SH.maxCount, str),
        ("class", SH["class"], compact),
        ("datatype", SH.datatype, compact),
        ("kind", SH.nodeKind, local),
        ("value", SH.hasValue, compact),
        ("most", SH.maxInclusive, str),
        ("node", SH.node, local),
    ]:
        found += sorted(f"{name}={show(value)}" for value in graph.objects(shape, key))
    if str(graph.value(shape, SH.uniqueLang)) == "true":
        found.append("unique")
    for options in graph.objects(shape, SH["or"]):
        found.append("any=" + "|".join(alternative(graph, option) for option in Collection(graph, options)))
    return " ".join(found)


def alternative(graph, option):
    of = graph.value(option, SH["class"])
    return compact(of) if of else local(graph.value(option, SH.node))


if __name__ == "__main__":
    {"terms": terms, "shapes": shapes}[sys.argv[2]](pathlib.Path(sys.argv[1]))
