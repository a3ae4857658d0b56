"""The certificate joins golden answers and template, and fits its row."""

import json
from typing import Any

from studio.deploy.gates import GateResult, certificate
from studio.deploy.gates.certificate import LARGEST, bounded

GOLDEN = {"prompts": 2, "matches": 2, "telling": 2, "agreement": 1.0, "first_divergence": None, "rows": [{}, {}]}


def records(template: dict[str, Any], passed: bool) -> list[dict[str, Any]]:
    return [GateResult("golden", True, GOLDEN).record(), GateResult("template", passed, template).record()]


def test_both_gates_make_one_proof() -> None:
    found = certificate(records({"checked": 2, "compared_by": "text"}, True))
    assert found["passed"] and found["agreement"] == 1.0 and found["diff"] == ""
    assert found["template"] == {"checked": 2, "compared_by": "text"}


def test_a_template_that_differs_spoils_it_and_shows_the_difference() -> None:
    found = certificate(records({"checked": 2, "diff": "-a\n+b", "why": "other"}, False))
    assert not found["passed"] and found["diff"] == "-a\n+b"


def test_before_the_golden_gate_there_is_none() -> None:
    assert certificate([GateResult("health", False, {}).record()]) == {}


def test_rows_that_agree_go_first_when_there_is_no_room() -> None:
    rows = [{"prompt": "x" * 9000, "matches_tuned": at != 40} for at in range(50)]
    kept = bounded({"prompts": 50, "rows": rows})
    assert len(json.dumps(kept)) < LARGEST
    assert {"matches_tuned": False, "prompt": "x" * 9000} in kept["rows"]
    assert kept["rows_left_out"] == 50 - len(kept["rows"])
    assert bounded({"rows": rows[:5]}) == {"rows": rows[:5]}
