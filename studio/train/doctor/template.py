"""Can the base read messages, and does its chat template say which parts are answers."""

from __future__ import annotations

from collections.abc import Iterator

from studio.train.doctor.finding import Case, Finding


def chat_template(case: Case) -> Iterator[Finding]:
    """No template, or one without markers around answers."""
    if case.template is None:
        return
    if not case.template:
        text = "The base model has no chat template, so it cannot read messages."
        yield Finding("error", text, "Choose an instruction-tuned base.")
    elif "generation" not in case.template:
        text = "The base's chat template does not mark answers; only the last answer of a row is learned."
        yield Finding("info", text)


def ending(case: Case) -> Iterator[Finding]:
    """An answer that does not end with what the server stops at goes on and on."""
    if not case.template or case.endings is None or not case.endings.stops:
        return
    if "eos_token" in case.template or any(stop in case.template for stop in case.endings.stops):
        return
    stops = " or ".join(case.endings.stops)
    text = f"The chat template never writes {stops}, at which a server stops: tuned answers would not end."
    yield Finding("warning", text, "Choose the instruction-tuned form of this base, or another one.")
