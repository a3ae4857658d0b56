"""Redactor: what stands for a secret, keyed with this installation's own secret so that equal ones stay equal."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path

from studio.capture.privacy import keys

KEY_FILE = "redact.key"
LETTERS = bytes(97 + number % 26 for number in range(256))
MARKS = re.compile(r"\[(?:redacted|[a-z][a-z0-9_-]{0,39}):[a-z]{12}\]")
"""What this file makes. Only letters stand behind the colon, so that no detector finds anything in a mark."""


class Redactor:
    """Makes marks: `[redacted:…]` for keys, `[email:…]` for personal data that must stay recognisable."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, folder: Path) -> Redactor:
        """The redactor of an installation; its key is made at the first start, readable by this user only."""
        return cls(_load_or_make(folder / KEY_FILE))

    def mark(self, secret: bytes) -> bytes:
        """What stands for a key, the same in every project."""
        return b"[redacted:" + self._letters(secret) + b"]"

    def token(self, project_id: str, kind: str, value: str) -> str:
        """What stands for a value of personal data: the same within a project, and only there."""
        told = "\0".join(("pseudonym", project_id, kind, plain(kind, value)))
        return f"{kind}:{self._letters(told.encode('utf-8', 'surrogatepass')).decode()}"

    def clean(self, body: bytes) -> bytes:
        """The text with every key-like token replaced; the same object when there is none."""
        if not keys.suspicious(body):
            return body
        text = body.decode("utf-8", "surrogateescape")
        return keys.PATTERN.sub(self._marked, text).encode("utf-8", "surrogateescape")

    def _marked(self, match: re.Match[str]) -> str:
        secret = match[keys.group_of(match)]
        return match[0].replace(secret, self.mark(secret.encode("utf-8", "surrogateescape")).decode())

    def _letters(self, secret: bytes) -> bytes:
        return hmac.digest(self._key, secret, hashlib.sha256)[:12].translate(LETTERS)


def plain(kind: str, value: str) -> str:
    """The value as it is compared: an address in other letters, or a number grouped otherwise, is the same."""
    if kind in ("email", "phone", "card", "iban", "ssn", "national_id"):
        value = value.replace("%40", "@") if kind == "email" else re.sub(r"[^\w+]", "", value)
    return value.strip().casefold()


def _load_or_make(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(file, "wb") as opened:
        opened.write(os.urandom(32))
    return path.read_bytes()
