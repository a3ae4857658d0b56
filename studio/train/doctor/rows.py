"""Is there enough to learn from, what was left out, and is there a golden set to prove it."""

from __future__ import annotations

from collections.abc import Iterator

from studio.train.data.source import EMPTY, LEAKS, TOOLS
from studio.train.doctor.finding import Case, Finding
from studio.train.methods import method

FEW_ROWS = 50
UNITS = {"rows": "rows", "pairs": "pairs", "judged": "judged answers", "prompts": "prompts"}


def amount(case: Case) -> Iterator[Finding]:
    """None at all, or too few to expect much."""
    need = method(case.plan.method).need
    usable, unit = len(case.lines.train) + len(case.lines.held_out), UNITS[need.what]
    if not usable:
        text = "There is no row to train on." if need.what == "rows" else f"There are no {unit} to train on."
        yield Finding("error", text, _more(need.how), page=need.page)
    elif usable < min(FEW_ROWS, need.wanted):
        yield Finding("warning", f"Only {usable} {unit} to learn from.", _wanted(need.wanted), page=need.page)


def left_out(case: Case) -> Iterator[Finding]:
    """Rows that the run does not see, by reason."""
    reasons = case.lines.left_out
    if count := reasons[LEAKS]:
        text = f"{count} training rows repeat a golden prompt; they are left out, or the score would flatter."
        yield Finding("warning", text, "Freeze a new version to remove them for good.", page="curate")
    if count := reasons[TOOLS]:
        text = f"{count} rows call tools, which this base's chat template cannot show; they are left out."
        yield Finding("info", text, "Choose a base that was made for tools to learn them too.")
    if count := reasons[EMPTY]:
        text = f"{count} rows have an empty answer and are left out."
        yield Finding("warning", text, "Correct them on Curate.", page="curate")


def golden(case: Case) -> Iterator[Finding]:
    """No golden set proves nothing; one that nobody verified proves little."""
    if not case.version.golden:
        yield Finding("warning", "There is no golden set, so nothing will prove the model better.", "See Curate.")


def _more(how: str) -> str:
    return f"{how[0].upper()}{how[1:]}." if how != "add examples and freeze a new version" else _ON_CURATE


_ON_CURATE = "Add examples on Curate and freeze a new version."


def _wanted(wanted: int) -> str:
    return f"{wanted:,} or more usually help a lot." if wanted != 100 else "A hundred or more usually help a lot."
