"""What every kind of place has in common: options that are described and checked, an address, a key, and health."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from studio.access.origins import origin_of
from studio.errors import InvalidInput

if TYPE_CHECKING:
    from studio.access.secrets import SecretBox

Asked = Literal["required", "optional", "no"]
OptionKind = Literal["text", "number", "yes", "list", "map"]
PlaceName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=r"^[\w][\w .-]*$")
]


@dataclass(frozen=True)
class Option:
    """One thing that a kind of place may be told."""

    name: str
    label: str
    help: str
    kind: OptionKind = "text"
    default: str | float | bool | None = None
    choices: tuple[str, ...] = ()
    """What a text may be; empty allows any."""


@dataclass(frozen=True)
class Kind:
    """A kind of place: what it is, and what it needs to be told."""

    name: str
    label: str
    about: str
    url: Asked
    key: Asked
    options: tuple[Option, ...] = ()

    def option(self, name: str) -> Option | None:
        """The option with this name."""
        return next((each for each in self.options if each.name == name), None)


@dataclass(frozen=True)
class Health:
    """Whether a place can be used, in a sentence."""

    ok: bool
    sentence: str
    warnings: tuple[str, ...] = ()
    """What should be changed all the same."""
    offers: dict[str, str] = field(default_factory=dict)
    """Options that the place itself told, as its dialect."""
    usd_per_hour: float | None = None
    """What an hour there costs, if the place or a person told."""


Input = TypeVar("Input", bound=BaseModel)


def checked_place(about: type[Input], **given: object) -> Input:
    """What was typed, in its model. Raises InvalidInput naming the first thing that is wrong."""
    try:
        return about.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        what = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidInput(f"The place's {first['loc'][0]} is not valid: {what}.") from error


def sealed_key(secrets: SecretBox, saved: str, old_url: str, url: str, key: str) -> str:
    """The sealed key to keep; a saved one never follows its place to another origin, where it could be read."""
    if key:
        return secrets.encrypt(key)
    if saved and origin_of(old_url) != origin_of(url):
        raise InvalidInput("The address changed, so enter the place's key again: it is never sent elsewhere.")
    return saved


def checked_options(kind: Kind, given: dict[str, Any]) -> dict[str, Any]:
    """The given options as their kinds want them; empty ones are left out. Raises InvalidInput for an unknown one."""
    found = {}
    for name, value in given.items():
        option = kind.option(name)
        if option is None:
            near = difflib.get_close_matches(name, [each.name for each in kind.options], 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidInput(f"{kind.label} has no option {name!r}.{hint}")
        if value not in (None, "", [], {}):
            found[name] = _as_kind(option, value)
    return found


def _as_kind(option: Option, value: Any) -> Any:
    try:
        return READERS[option.kind](value) if not option.choices else _chosen(option, value)
    except (TypeError, ValueError) as error:
        form = f"one of {', '.join(option.choices)}" if option.choices else f"a {option.kind}"
        raise InvalidInput(f"The option {option.label!r} is not valid: {value!r}. It is {form}.") from error


def _chosen(option: Option, value: Any) -> str:
    text = str(value).strip()
    if text not in option.choices:
        raise ValueError(text)
    return text


def _text(value: Any) -> str:
    return str(value).strip()


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < 1e9:
        raise ValueError(value)
    return number


def _lines(value: Any) -> list[str]:
    lines = value.splitlines() if isinstance(value, str) else [str(line) for line in value]
    return [line.strip() for line in lines if line.strip()]


def _pairs(value: Any) -> dict[str, str]:
    if not isinstance(value, str):
        return dict(value)
    pairs = [line.split("=", 1) for line in _lines(value)]
    return {name.strip(): text.strip() for name, text in pairs}


def _yes(value: Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("yes", "true", "1", "on")


READERS: dict[OptionKind, Callable[[Any], Any]] = {
    "text": _text,
    "number": _number,
    "yes": _yes,
    "list": _lines,
    "map": _pairs,
}
