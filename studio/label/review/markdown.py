"""Minutes as Markdown. What was captured or written stands in fences or escaped: it can never become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

from studio.label.review.shapes import ChangedGuideline, Decided, Minutes

SPECIAL = re.compile(r"([\\`*_\[\]()#|~:@]|(?<=www)\.)", re.IGNORECASE)
TICKS = re.compile(r"`+")


def as_markdown(minutes: Minutes) -> str:
    """The whole document."""
    parts = [*_head(minutes), *_agreement(minutes), *_guidelines(minutes.guidelines)]
    for title, rows in (
        ("Open questions", minutes.open_questions),
        ("Rows to golden", minutes.to_golden),
        ("Rows to training", minutes.to_training),
        ("Dropped", minutes.dropped),
    ):
        parts += [f"## {title} ({len(rows)})", *(block for row in rows for block in _row(row))]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text on one line that Markdown shows as it is: no links, pictures or markup come out of it."""
    return SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def fenced(text: str) -> str:
    """Text in a code block that nothing inside can end."""
    longest = max((len(run) for run in TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _head(minutes: Minutes) -> Iterator[str]:
    yield f"# {plain(minutes.title)}"
    decided = minutes.items - minutes.undecided
    facts = [
        f"Dataset: {plain(minutes.dataset)}",
        f"Chair: {plain(minutes.chair)}",
        f"Present: {', '.join(plain(name) for name in minutes.people) or 'nobody yet'}",
        f"Started: {minutes.started}" + (f"; closed: {minutes.closed}" if minutes.closed else "; still open"),
        f"Decided: {decided} of {minutes.items} items in {minutes.minutes_spent:g} minutes"
        + (f", {minutes.seconds_per_item:g} s per item" if minutes.seconds_per_item is not None else ""),
    ]
    yield "\n".join(f"- {fact}" for fact in facts)


def _agreement(minutes: Minutes) -> Iterator[str]:
    yield "## Agreement"
    lines = [_measure("Before", each) for each in minutes.agreement_before]
    lines += [_measure("After", each) for each in minutes.agreement_after]
    yield "\n".join(lines) or "Nothing to compare: no item was answered or voted on by two people."


def _measure(when: str, facts: dict[str, Any]) -> str:
    said = f"- {when}, {facts['question']}: {facts['percent']:g} % equal"
    if facts["question"].startswith("votes for"):
        said = f"- {when}, {facts['question']}: {facts['percent']:g} %"
    if facts.get("value") is not None:
        said += f", {facts['measure']} {facts['value']:.2f} (95 % interval {facts['low']:.2f} to {facts['high']:.2f})"
    return f"{said}, n = {facts['n']}"


def _guidelines(changed: Sequence[ChangedGuideline]) -> Iterator[str]:
    yield f"## Changed guidelines ({len(changed)})"
    for each in changed:
        where = f"{plain(each.task)}, version {each.version}" if each.task else "Agreed, but no task to add it to"
        yield f"**{where}** ({plain(each.decided_by)})"
        yield fenced(each.rule)


def _row(row: Decided) -> Iterator[str]:
    yield f"### {row.position + 1}. {plain(row.reason) or 'Chosen by hand'}"
    verdict = row.verdict.replace("_", " ") if row.verdict != "open" else "open question"
    facts = [f"{verdict.capitalize()} by {plain(row.decided_by)}"]
    facts += [f"{row.for_it} of {row.votes} votes for it"] if row.votes and row.output else []
    facts += [f"moved here from {row.moved_from}"] if row.moved_from else []
    yield "; ".join(facts) + "."
    if row.frozen_in:
        numbers = ", ".join(map(str, row.frozen_in))
        yield f"Models trained on version {numbers} may have learned this row; newer ones have not."
    if row.note:
        yield f"Note: {plain(row.note)}"
    yield fenced(row.prompt)
    if row.output:
        yield "Answer:"
        yield fenced(row.output)
