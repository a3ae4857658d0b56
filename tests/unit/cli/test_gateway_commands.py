"""Keys and splits, typed."""

from collections.abc import Callable

import pytest

from storage.tables import Project
from studio.access.actor import Actor
from studio.bootstrap import Studio
from studio.errors import InvalidInput

Typed = Callable[..., str]


def test_a_key_is_made_with_what_it_may_do(studio: Studio, project: Project, typed: Typed) -> None:
    options = ("--scope", "infer", "--scope", "read", "--days", "30", "--calls", "60", "--tokens", "9000")
    key = studio.keys.resolve(typed("key", "support", "checkout", *options).strip())
    assert key and key.scopes == ["infer", "read"] and key.expires_at is not None
    assert (key.calls_per_minute, key.tokens_per_minute) == (60, 9000)
    plain = studio.keys.resolve(typed("key", "support", "other").strip())
    assert plain and plain.scopes == [] and plain.expires_at is None and plain.calls_per_minute is None


def test_an_alias_is_split_over_providers(studio: Studio, project: Project, typed: Typed) -> None:
    studio.providers.save(Actor.operator(), project.id, "openai", "http://up/v1", models=["gpt"])
    said = typed("split", "triage", "openai/gpt=100", "openai/mini=0", "--reason", "start")
    assert said == "Release 1: gpt 100 %, mini 0 % (start)\n"
    with pytest.raises(InvalidInput, match="provider/model=percent"):
        typed("split", "triage", "gpt")
