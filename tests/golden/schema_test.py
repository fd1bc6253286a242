#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON report against schema/report-1.schema.json: what the program writes fits it, what is broken does not.

    schema_test.py [--smaps-audit FILE] [REPORT…]        REPORT: more reports, or .jsonl files, to be validated

Our own output must fit the schema made strict (no key that it does not name); readers get it open, since fields may be
added. Exit: 0, 1 (something does not fit), 77 (no python3-jsonschema). Python 3.11, Debian's python3-jsonschema.
"""

from __future__ import annotations

import argparse
import copy
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

try:
    import jsonschema
except ImportError:
    print("SKIP: python3-jsonschema is not installed (scripts/install-dependencies)")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "schema" / "report-1.schema.json"
GOLDEN = ROOT / "tests" / "golden" / "all-kinds.json"
RUN_SECONDS = 120

Json = dict[str, object]


def strict(node: object) -> object:
    """Every object that lists its properties has no others (but those under if/then, which list only some)."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: value if key == "allOf" else strict(value) for key, value in node.items()}
    if "properties" in node and "type" in node:
        result["additionalProperties"] = False
    return result


def complaints(schema: object, document: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(document)]


def of_process(schema: Json) -> Json:
    """The same schema for one element of `processes`: a line of jsonl."""
    return {"$schema": schema["$schema"], "$ref": "#/$defs/process", "$defs": schema["$defs"]}


def run(program: str, *words: str) -> str:
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def first(document: Json, verdict: str) -> Json:
    return next(process for process in document["processes"] if process["verdict"] == verdict)


def delete(path: str) -> Callable[[Json], None]:
    def edit(document: Json) -> None:
        *parents, last = path.split(".")
        node = document
        for name in parents:
            node = node[int(name)] if isinstance(node, list) else node[name]
        del node[last]
    return edit


def put(value: object, path: str, verdict: str = "") -> Callable[[Json], None]:
    """Below the first process of that verdict, or below the whole report."""
    def edit(document: Json) -> None:
        *parents, last = path.split(".")
        node = first(document, verdict) if verdict else document
        for name in parents:
            node = node[int(name)] if isinstance(node, list) else node[name]
        node[last] = value
    return edit


BROKEN: dict[str, Callable[[Json], None]] = {
    "no schema": delete("schema"),
    "another schema": put("smaps-audit.report/2", "schema"),
    "no host": delete("host"),
    "no summary": delete("summary"),
    "a count that is missing": delete("summary.denied"),
    "a coverage above 1": put(1.5, "summary.coverage"),
    "a start that is no time": put("yesterday", "started"),
    "a kernel without a name": put("", "host.kernel_release"),
    "0 nodes where it is unknown": put(0, "host.numa_nodes"),
    "a process without its pid": delete("processes.0.pid"),
    "a pid in quotes": put("4211", "pid", "finding"),
    "a verdict that nobody knows": put("guilty", "verdict", "finding"),
    "a finding without findings": put([], "findings", "finding"),
    "findings of an inconclusive process": put([{}], "findings", "inconclusive"),
    "inconclusive without a reason": put(None, "reason", "inconclusive"),
    "denied without a reason": put(None, "reason", "denied"),
    "0 Rss where it could not be read": put(0, "reported.rss_bytes", "denied"),
    "0 open bytes where nothing was audited": put(0, "open_bytes", "denied"),
    "0 mappings where nothing was audited": put(0, "vmas", "vanished"),
    "a truth that nobody walked": put({"rss_low_bytes": 0}, "truth", "denied"),
    "a truth without its upper bound": delete("processes.0.truth.rss_high_bytes"),
    "a negative error": put(-1, "findings.0.error_bytes", "finding"),
    "a fraction of a byte": put(0.5, "findings.0.error_bytes", "finding"),
    "exact that is no yes or no": put("true", "findings.0.exact", "finding"),
    "a direction that nobody knows": put("sideways", "findings.0.direction", "finding"),
    "an interface that nobody knows": put("meminfo", "findings.0.interface", "finding"),
    "a basis that nobody knows": put("hope", "findings.0.basis", "finding"),
    "an address with 0x": put("0x7f1200000000", "findings.0.vmas.0.start", "finding"),
    "more than 64 mappings": put([{"start": "1000", "end": "2000", "name": "", "error_bytes": 1}] * 65,
                                 "findings.0.vmas", "finding"),
    "a misspelt defect": put("k1", "findings.0.defect", "finding"),
    "notes that are no list": put(None, "notes"),
    "a note without its error": put([{"check": "I13"}], "notes"),
}


def expect_refusals(schema: Json, golden: Json) -> Iterator[str]:
    for name, edit in BROKEN.items():
        document = copy.deepcopy(golden)
        edit(document)
        if document == golden:
            yield f"{name}: the edit changed nothing"
        elif not complaints(schema, document):
            yield f"{name}: accepted"


def expect_fits(schema: Json, path: pathlib.Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    documents = text.splitlines() if path.suffix == ".jsonl" else [text]
    rules = of_process(schema) if path.suffix == ".jsonl" else schema
    for document in documents:
        for complaint in complaints(rules, json.loads(document)):
            yield f"{path.name}: {complaint}"


def expect_live_fits(schema: Json, program: str) -> Iterator[str]:
    """Processes of ours: one that sleeps, one that is not there any more, and the auditor's parent."""
    with subprocess.Popen(["sleep", str(RUN_SECONDS)]) as sleeper:
        gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
        try:
            words = ("check", str(sleeper.pid), "1", "2", gone)
            report = json.loads(run(program, *words, "--format", "json"))
            lines = run(program, *words, "--format", "jsonl").splitlines()
        finally:
            sleeper.kill()
    for complaint in complaints(schema, report):
        yield f"live json: {complaint}"
    with tempfile.TemporaryDirectory() as spool:
        probed = json.loads(run(program, "probe", "control", "--spool", spool, "--format", "json"))
    for complaint in complaints(schema, probed):
        yield f"live probe: {complaint}"
    if len(lines) != len(report["processes"]):
        yield f"live jsonl: {len(lines)} lines for {len(report['processes'])} processes"
    for line in lines:
        for complaint in complaints(of_process(schema), json.loads(line)):
            yield f"live jsonl: {complaint}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smaps-audit", help="without it only the reports are validated")
    parser.add_argument("reports", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    rules = strict(schema)
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    failures = []
    for path in (GOLDEN, *options.reports):
        failures += expect_fits(rules, path)
    if options.smaps_audit:
        failures += expect_live_fits(rules, options.smaps_audit)
    failures += expect_refusals(schema, golden)
    for failure in failures:
        print(f"FAIL  {failure}")
    if any("Additional properties" in failure for failure in failures):
        print("A field that is new belongs into schema/report-1.schema.json, with a description.")
    print(f"{len(BROKEN)} broken reports, {1 + len(options.reports)} kept ones, 2 live: {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
