"""Judges objects by schemas of the Open Education API's own OpenAPI files.

    openapi.py FOLDER < questions > answers

FOLDER holds `ooapi-v5.yaml` and `ooapi-v6.yaml`. Each line of input is an object with `version`, `schema` (a name under
components/schemas) and `instance`; each line of output is the list of what is wrong with it.
"""

import json
import sys
from pathlib import Path

import yaml
from openapi_schema_validator import OAS30Validator, OAS31Validator, oas30_format_checker, oas31_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VALIDATORS = {"5": (OAS30Validator, oas30_format_checker), "6": (OAS31Validator, oas31_format_checker)}


def words(schemas):
    """Version 6 names words it allows to be extended; any other has to start with `x-`."""
    for schema in schemas.values():
        known = schema.get("x-ooapi-extensible-enum") if isinstance(schema, dict) else None
        if known and schema.get("type") == "string":
            schema["anyOf"] = [{"enum": known}, {"pattern": "^x-"}]


class Judge:
    def __init__(self, folder, version):
        tree = yaml.load(Path(folder, f"ooapi-v{version}.yaml").read_text(encoding="utf-8"), Loader=Plain)
        words(tree["components"]["schemas"])
        self.registry = Registry().with_resource("urn:ooapi", Resource.from_contents(tree, DRAFT202012))
        self.version = version

    def errors(self, schema, instance):
        validator, formats = VALIDATORS[self.version]
        reference = {"$ref": f"urn:ooapi#/components/schemas/{schema}"}
        judge = validator(reference, registry=self.registry, format_checker=formats)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in judge.iter_errors(instance)]


class Plain(yaml.SafeLoader):
    """YAML without dates."""


Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def main():
    judges = {}
    for line in sys.stdin:
        question = json.loads(line)
        version = question["version"]
        if version not in judges:
            judges[version] = Judge(sys.argv[1], version)
        print(json.dumps(judges[version].errors(question["schema"], question["instance"])))


main()
