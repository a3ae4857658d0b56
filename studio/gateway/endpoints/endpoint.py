"""Endpoint: what differs between the ways to ask a model; the handler is the same for all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio.gateway.errors import OPENAI, ErrorForm

Fields = dict[str, Any]


@dataclass(frozen=True)
class End:
    """How a stream says that it is complete."""

    hint: bytes
    """Is in every mark; looked for first, because that is fast."""
    marks: tuple[bytes, ...]
    whole_line: bool = False
    """Whether the event that holds the mark says more, so that its line has to be there too."""


@dataclass(frozen=True)
class Usage:
    """Where an answer's bytes say what it cost."""

    prompt: re.Pattern[bytes]
    completion: re.Pattern[bytes]


@dataclass(frozen=True)
class Endpoint:
    """One way to ask a model."""

    name: str
    """As calls are recorded: chat, completions, embeddings, responses or messages."""
    path: str
    """Where callers ask."""
    upstream: bytes
    """What is appended to a server's base address."""
    lacking: Callable[[Fields], str | None]
    """What a request lacks, as a sentence; None when it can be sent."""
    sent: Callable[[Fields], Fields]
    """The fields that go to the server, of a copy that may be changed."""
    end: End
    failures: tuple[bytes, ...]
    """Bytes of which one is in every stream that tells an error on its way, and in none that does not."""
    usage: Usage
    kind: str = "openai"
    """Which servers know it: those that speak like OpenAI, or anthropic."""
    errors: ErrorForm = OPENAI
    is_chat: bool = False
    """Whether requests are put in a server's dialect, and copies of them go to shadows."""
    recorded: bool = True
    queries: tuple[str, ...] = ()
    """Queries of the caller's address that are passed on; any other is left out."""
    prefixes: tuple[str, ...] = ()
    """What callers may put before a model's name, that says nothing here."""

    def path_for(self, query: str) -> bytes:
        """What is appended to a server's base address for a call that came with this query."""
        return self.upstream + b"?" + query.encode() if query in self.queries else self.upstream

    def model_of(self, fields: Fields) -> str:
        """The name that is asked for."""
        name = str(fields["model"])
        if not self.prefixes:
            return name
        return next((name.removeprefix(prefix) for prefix in self.prefixes if name.startswith(prefix)), name)


def openai_usage() -> Usage:
    """As chat completions, completions and embeddings say it."""
    return Usage(re.compile(rb'"prompt_tokens"\s*:\s*(\d{1,12})'), re.compile(rb'"completion_tokens"\s*:\s*(\d{1,12})'))


def token_usage() -> Usage:
    """As responses and Anthropic's messages say it."""
    return Usage(re.compile(rb'"input_tokens"\s*:\s*(\d{1,12})'), re.compile(rb'"output_tokens"\s*:\s*(\d{1,12})'))


def event_marks(*kinds: str) -> tuple[bytes, ...]:
    """How an event of such a type begins, with and without blanks; quotes inside of texts are escaped, so no text can
    be taken for one.
    """
    spellings = ('data: {{"type":"{}"', 'data: {{"type": "{}"', 'data:{{"type":"{}"')
    return tuple(spelling.format(kind).encode() for kind in kinds for spelling in spellings)
