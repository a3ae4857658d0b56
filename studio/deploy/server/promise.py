"""`response_format` kept by checking: the answer is generated freely, and given only if it is what was asked for.

Tokens are not constrained while they are picked. A model tuned to answer JSON seldom misses; when it does, the
caller gets an error (and the gateway asks another route) instead of broken JSON under a promise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import validator_for
from referencing.exceptions import Unresolvable

from studio.deploy.schemas import UNCHECKED, checker, holds_unchecked
from studio.deploy.server.errors import failed, invalid

SHOWN = 200


@dataclass(frozen=True)
class JsonPromise:
    """The answer must be one JSON value, valid under the schema."""

    schema: dict[str, Any]

    def check(self, text: str) -> None:
        """Raises a generation error that says where the answer is not what was asked for."""
        try:
            checker(self.schema).validate(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise failed(f"the answer is not JSON ({error})") from error
        except ValidationError as error:
            raise failed(f"the answer does not fit the JSON schema: {error.message[:SHOWN]}") from error
        except Unresolvable as error:
            raise invalid(f"response_format refers to a schema elsewhere: {error.ref[:SHOWN]}") from error


def promise(response_format: dict[str, Any] | None) -> JsonPromise | None:
    """What the caller asked for, in OpenAI's words or TGI's; None if anything goes. Raises a validation error."""
    kind = (response_format or {}).get("type", "text")
    if response_format is None or kind == "text":
        return None
    if kind not in ("json", "json_object", "json_schema"):
        raise invalid(f"response_format `{kind}` is not supported")
    schema = _schema(response_format)
    try:
        validator_for(schema).check_schema(schema)
        if holds_unchecked(schema):
            raise invalid(f"a JSON schema with {UNCHECKED} is not supported")
    except RecursionError as error:
        raise invalid("response_format holds a JSON schema that is nested too deeply") from error
    except SchemaError as error:
        raise invalid(f"response_format holds no valid JSON schema: {error.message[:SHOWN]}") from error
    return JsonPromise(schema)


def _schema(response_format: dict[str, Any]) -> dict[str, Any]:
    described = response_format.get("json_schema") or response_format.get("value") or {"type": "object"}
    if isinstance(described, dict) and response_format["type"] == "json_schema":
        described = described.get("schema", described)
    if not isinstance(described, dict):
        raise invalid("response_format holds no JSON schema")
    return described
