"""What the adapters share: their API, what an option says, and which of a company's models a run starts from."""

from __future__ import annotations

from typing import Any

from studio.errors import InvalidInput
from studio.train.hosted.http import Api, Lost, Signer, bearer
from studio.train.hosted.port import HostedSpec
from studio.train.hosted.rows import FORMS, Form, Upload, uploads


class Company:
    """A company that trains for you."""

    kind: str
    label: str
    methods: tuple[str, ...]
    home: str
    """Its own address, when the place names none."""
    least_rows = 1

    def __init__(self, url: str, key: str, options: dict[str, Any]) -> None:
        self.options = options
        self.api = Api(self.label, url or self.home, self._signer(key), self._secrets(key))

    def _signer(self, key: str) -> Signer:
        return bearer(key)

    def _secrets(self, key: str) -> tuple[str, ...]:
        return (key,)

    def model_of(self, spec: HostedSpec) -> str:
        """The company's name of the base: by `models` or `model` in the place's options, else the run's own name."""
        own = (self.options.get("models") or {}).get(spec.base) or self.options.get("model") or spec.base
        if not own:
            raise InvalidInput(f"Say which model of {self.label} to train: `model` in the options of the place.")
        return str(own)

    def uploads(self, spec: HostedSpec, form: Form | None = None) -> tuple[Upload, Upload | None]:
        """The run's rows in this company's form. Raises InvalidInput for what it cannot train."""
        if spec.method not in self.methods:
            able = ", ".join(self.methods)
            raise InvalidInput(f"{self.label} does not train with {spec.method}; it does {able}. Train it elsewhere.")
        train, held_out = uploads(spec, form or FORMS[spec.method])
        if train.rows < self.least_rows:
            raise InvalidInput(f"{self.label} wants {self.least_rows} rows or more; this version has {train.rows}.")
        return train, held_out

    def option(self, name: str, what: str) -> str:
        """An option that must be there. Raises InvalidInput saying what it is."""
        value = str(self.options.get(name) or "")
        if not value:
            raise InvalidInput(f"{self.label} needs {what}: enter `{name}` in the options of the place.")
        return value


def marker(spec: HostedSpec) -> str:
    """The name of a run in companies' lists, by which it is found again."""
    return f"whetstone-{spec.run_id}"


__all__ = ["Company", "Lost", "marker"]
