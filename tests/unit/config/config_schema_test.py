#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema/config-1.schema.json against the shipped configuration and the samples that the parser's test uses.

What the parser accepts, the schema accepts. What the parser refuses, the schema refuses, but for the samples marked
`beyond_schema`: those it has to accept, or the mark is wrong. Its defaults are those of the shipped file, which the
parser's test compares with the program's; every key has a description, and a row in docs/configuration.md.

Exit: 0, 1 (something does not fit), 77 (no python3-jsonschema). Python 3.11, Debian's python3-jsonschema.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
from collections.abc import Iterator

try:
    import jsonschema
except ImportError:
    print("SKIP: python3-jsonschema is not installed (scripts/install-dependencies)")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "schema" / "config-1.schema.json"
SHIPPED = ROOT / "config" / "smaps-auditd.json"
SAMPLES = ROOT / "tests" / "unit" / "config" / "settings_samples.json"
PAGE = ROOT / "docs" / "configuration.md"


def without_comments(text: str) -> str:
    """Texts stay, comments go."""
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return token.sub(lambda match: match[0] if match[0].startswith('"') else " ", text)


def described(schema: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    for key, node in schema.get("properties", {}).items():
        if key != "$schema" and isinstance(node, dict):
            yield f"{path}{key}", node
            yield from described(node, f"{path}{key}.")


def at(document: object, path: str) -> object:
    for key in path.split("."):
        document = document[key]
    return document


def main() -> int:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    shipped = json.loads(without_comments(SHIPPED.read_text(encoding="utf-8")))
    samples = json.loads(SAMPLES.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    wrong = [f"the shipped file: {error.message}" for error in validator.iter_errors(shipped)]
    wrong += [f"accepted by the parser only: {json.dumps(config)}"
              for config in samples["accepted"] if not validator.is_valid(config)]
    for sample in samples["refused"]:
        accepts = validator.is_valid(sample["config"])
        if accepts != sample.get("beyond_schema", False):
            wrong.append(f"{'accepted' if accepts else 'refused'} by the schema: {json.dumps(sample['config'])}")
    keys = list(described(schema)) + [(f"targets.rules[].{key}", node) for key, node in described(schema["$defs"]["rule"])]
    for path, node in keys:
        if "description" not in node:
            wrong.append(f"{path}: the schema has no description")
        if f"`{path}`" not in page and "properties" not in node:
            wrong.append(f"{path}: not in docs/configuration.md")
        if "default" in node and "[]" not in path and at(shipped, path) != node["default"]:
            wrong.append(f"{path}: the schema's default is {node['default']}, the shipped file has {at(shipped, path)}")
        if "default" not in node and "properties" not in node and "[]" not in path:
            wrong.append(f"{path}: the schema has no default")
    print("\n".join(wrong))
    count = len(samples["accepted"]) + len(samples["refused"])
    print(f"{count} samples, {len(keys)} keys: {len(wrong)} wrong")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
