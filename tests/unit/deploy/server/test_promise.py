"""`response_format` is kept by checking the answer."""

from typing import Any

import pytest

from studio.deploy.server.errors import WireError
from studio.deploy.server.promise import promise

SCHEMA = {
    "type": "object",
    "properties": {"priority": {"enum": ["low", "high"]}},
    "required": ["priority"],
}
SPELLINGS = [
    {"type": "json_object", "value": SCHEMA},
    {"type": "json", "value": SCHEMA},
    {"type": "json_schema", "json_schema": {"name": "triage", "strict": True, "schema": SCHEMA}},
    {"type": "json_schema", "value": {"name": "triage", "schema": SCHEMA}},
]


@pytest.mark.parametrize("asked", [None, {}, {"type": "text"}])
def test_without_a_format_anything_goes(asked: dict[str, Any] | None) -> None:
    assert promise(asked) is None


@pytest.mark.parametrize("asked", SPELLINGS)
def test_every_spelling_of_a_schema_is_checked(asked: dict[str, Any]) -> None:
    kept = promise(asked)
    assert kept is not None
    kept.check('{"priority": "low"}')
    for broken in ('{"priority": "soon"}', "{}", '{"priority": "low"', "[]"):
        with pytest.raises(WireError) as refused:
            kept.check(broken)
        assert (refused.value.status, refused.value.error_type) == (424, "generation")


def test_json_object_alone_means_any_object() -> None:
    kept = promise({"type": "json_object"})
    assert kept is not None
    kept.check("{}")
    with pytest.raises(WireError, match="does not fit"):
        kept.check("[1]")


@pytest.mark.parametrize(
    "asked",
    [
        {"type": "regex", "value": ".*"},
        {"type": "json_object", "value": {"type": "nonsense"}},
        {"type": "json_object", "value": "a string"},
    ],
)
def test_what_cannot_be_checked_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(WireError) as refused:
        promise(asked)
    assert refused.value.status == 422


def test_a_schema_elsewhere_is_never_fetched() -> None:
    kept = promise({"type": "json_object", "value": {"$ref": "http://127.0.0.1:9/schema.json"}})
    assert kept is not None
    with pytest.raises(WireError, match="refers to a schema elsewhere"):
        kept.check("{}")


def test_a_pattern_that_takes_for_ever_ends_and_one_that_cannot_be_limited_is_refused() -> None:
    kept = promise({"type": "json_object", "value": {"properties": {"id": {"pattern": "^(a+)+$"}}}})
    assert kept is not None
    kept.check('{"id": "aaaa"}')
    with pytest.raises(WireError, match="does not match"):
        kept.check(f'{{"id": "{"a" * 40}!"}}')
    with pytest.raises(WireError, match="patternProperties"):
        promise({"type": "json_object", "value": {"items": {"patternProperties": {"^(a+)+$": {}}}}})
