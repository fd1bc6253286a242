#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Grafana dashboards have the types that Grafana gives them, and belong together. Without Grafana.

    dashboards_test.py

Exit: 0, 1, 77 (no npm, or it gets nothing). Python 3.11, standard library only.
"""

from __future__ import annotations

import itertools
import json
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel")]
import grafana_schema  # noqa: E402
import shipped  # noqa: E402
from private_apt import AptError  # noqa: E402

TYPES = HERE / "dashboard_types.ts"
# Each of them is a mistake that the types have to see.
MISTAKES = (('"schemaVersion": 39', '"schemaVersion": "39"'), ('"gridPos"', '"gridpos"'), ('"refId"', '"refid"'),
            ('"legendFormat"', '"legendFormt"'), ('"mode": "multi"', '"mode": "many"'), ('"showLegend"', '"legend"'),
            ('"unit"', '"units"'))


def typed(text: str) -> str:
    return f'import type {{Shipped}} from "./{TYPES.stem}";\nexport const dashboard: Shipped = {text};\n'


def the_dashboards_have_grafanas_types() -> None:
    good = {f"{path.stem}.ts": typed(path.read_text()) for path in shipped.DASHBOARDS}
    assert len(good) == 2, good.keys()
    bad = {f"wrong{i}.ts": typed(shipped.DASHBOARDS[0].read_text().replace(old, new)) for i, (old, new) in enumerate(MISTAKES)}
    said = grafana_schema.complaints(good | bad, TYPES)
    assert not [line for line in said.splitlines() if line.startswith("smaps")], said
    for name, mistake in zip(bad, MISTAKES):
        assert f"{name}(" in said, (mistake, said)


def panels_do_not_overlap_and_all_ask_the_chosen_prometheus() -> None:
    for path in shipped.DASHBOARDS:
        dashboard = json.loads(path.read_text())
        assert dashboard["uid"] == path.stem, path
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids), ids
        places = [{(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                  for at in (panel["gridPos"] for panel in dashboard["panels"])]
        assert not any(a & b for a, b in itertools.combinations(places, 2)), path
        assert all(x < 24 for place in places for x, _ in place), path
        for panel in dashboard["panels"]:
            for part in (panel, *panel["targets"]):
                assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, part
            assert panel["fieldConfig"]["defaults"]["unit"] in {"bytes", "short", "percentunit", "s"}, panel["title"]


CASES = (the_dashboards_have_grafanas_types, panels_do_not_overlap_and_all_ask_the_chosen_prometheus)


def main() -> int:
    try:
        grafana_schema.modules()
    except AptError as error:
        print(f"SKIP: {error}")
        return 77
    failed = 0
    for case in CASES:
        try:
            case()
            print(f"ok    {case.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL  {case.__name__}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
