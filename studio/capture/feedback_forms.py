"""Feedback as other systems write it, in our form: what is said stays the same, whoever says it."""

from __future__ import annotations

from typing import Any

from studio.capture.reports.fields import dict_of, dicts_of, number_of, text_of
from studio.errors import InvalidInput

Said = dict[str, Any]
THUMBS = frozenset({"thumbs", "user-feedback", "user_feedback", "feedback", "thumbs-up", "like"})
"""Names of Langfuse's scores that are thumbs where their value is 0 or 1."""
LONGEST_NAME, LONGEST_ID = 120, 140
PORTKEY_RANGE = 10


def is_portkey(found: dict[str, Any]) -> bool:
    """Whether feedback has Portkey's form."""
    return "trace_id" in found and "value" in found and "kind" not in found


def portkey(found: dict[str, Any], feedback_id: str | None = None) -> list[Said]:
    """{trace_id, value from -10 to 10, weight, metadata}: the sign is the thumb, the value a metric, a text a comment.

    Raises InvalidInput.
    """
    value, told = number_of(found.get("value")), dict_of(found.get("metadata"))
    if value is None or abs(value) > PORTKEY_RANGE:
        raise InvalidInput("value: send a number from -10 to 10.")
    common = {"trace_id": text_of(found.get("trace_id")), "given_by": text_of(told.get("_user")) or ""}
    common["source"] = "portkey"
    said: list[Said] = [{"kind": "metric", "name": "portkey_feedback", "value": value}]
    if value and found.get("weight") != 0:
        said.append({"kind": "thumbs", "value": int(value > 0)})
    if comment := text_of(told.get("text")) or text_of(told.get("comment")):
        said.append({"kind": "comment", "text": comment})
    return _named([{**common, **one} for one in said], feedback_id)


def helicone_rating(found: dict[str, Any], request_id: str) -> list[Said]:
    """{rating: true or false}. Raises InvalidInput."""
    rating = found.get("rating")
    if not isinstance(rating, bool):
        raise InvalidInput("rating: send true or false.")
    return [{"id": request_id, "kind": "thumbs", "value": int(rating), "source": "helicone"}]


def helicone_scores(found: dict[str, Any], request_id: str) -> list[Said]:
    """{scores: {name: number or boolean}}. Raises InvalidInput."""
    scores = dict_of(found.get("scores"))
    if not scores:
        raise InvalidInput('scores: send an object, as {"accuracy": 0.9}.')
    return [
        {"id": request_id, "kind": "metric", "name": name[:LONGEST_NAME], "value": _figure(value), "source": "helicone"}
        for name, value in scores.items()
    ]


def helicone_property(found: dict[str, Any], request_id: str) -> list[Said]:
    """{key, value}: a tag. Raises InvalidInput."""
    name, value = text_of(found.get("key")), found.get("value")
    if not name:
        raise InvalidInput("key: name the property.")
    return [{"id": request_id, "kind": "tags", "set": {name: tag(value)}, "source": "helicone"}]


def langfuse(found: dict[str, Any]) -> list[Said]:
    """A score: BOOLEAN and NUMERIC are thumbs or metrics, CATEGORICAL and TEXT comments, CORRECTION of the output a
    correction; its comment is a comment. Raises InvalidInput.
    """
    name = (text_of(found.get("name")) or "")[:LONGEST_NAME]
    if not name:
        raise InvalidInput("name: a score needs a name.")
    own, said = text_of(found.get("id")), [_langfuse_value(found, name)]
    if comment := text_of(found.get("comment")):
        said.append({"kind": "comment", "name": name, "text": comment})
    common = {"source": "langfuse", "at": text_of(found.get("timestamp")), **_langfuse_target(found)}
    return _named([{**common, **one} for one in said], own)


def _langfuse_target(found: dict[str, Any]) -> Said:
    names = {"traceId": "trace_id", "observationId": "span_id", "sessionId": "session_id"}
    return {ours: told for theirs, ours in names.items() if (told := text_of(found.get(theirs)))}


def _langfuse_value(found: dict[str, Any], name: str) -> Said:
    kind, value = (text_of(found.get("dataType")) or "").upper(), found.get("value")
    if kind == "CORRECTION":
        corrected = "correction" if name.lower() == "output" else "comment"
        return {"kind": corrected, "name": name, "text": text_of(value)}
    if kind in ("CATEGORICAL", "TEXT") or (not kind and isinstance(value, str)):
        return {"kind": "comment", "name": name, "text": text_of(value)}
    figure = _figure(value)
    return {
        "kind": "thumbs" if name.lower() in THUMBS and figure in (0, 1) else "metric",
        "name": name,
        "value": figure,
    }


def openpipe_tags(found: dict[str, Any]) -> Said:
    """{filters: [{field, equals}], tags or metadata}: tags for calls that all filters match. Raises InvalidInput."""
    told: Said = {"kind": "tags", "source": "openpipe", "tags": {}}
    for condition in dicts_of(found.get("filters")):
        field, value = text_of(condition.get("field")) or "", tag(condition.get("equals"))
        if field == "completionId":
            told["external_id"] = value
        elif field == "model":
            told["model"] = value
        elif field.startswith(("tags.", "metadata.")):
            told["tags"][field.partition(".")[2]] = value
        else:
            raise InvalidInput(
                f"filters: the field {field!r} is unknown. Use completionId, model, tags.… or metadata.…."
            )
    if not told["tags"]:
        del told["tags"]
    told["set"] = {str(name): tag(value) for name, value in _new_tags(found).items()}
    return told


def tag(value: Any) -> str | None:
    """A tag's value as text; None takes the tag away."""
    if value is None or value == "null":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _new_tags(found: dict[str, Any]) -> dict[str, Any]:
    return dict_of(found.get("tags")) or dict_of(found.get("metadata"))


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, bool) else number_of(value)


def _named(said: list[Said], own: str | None) -> list[Said]:
    """What one message says has its id; a second thing that it says, the id and its kind."""
    if own is None:
        return said
    own = own[:LONGEST_ID]
    return [{**one, "feedback_id": f"{own}-{one['kind']}" if number else own} for number, one in enumerate(said)]
