"""Sealing: values for the admin to read again, encrypted with the installation's key."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from studio.access.secrets import SecretBox
from studio.capture.privacy.scrub import Seal

SEALED_KEPT = 10_000


def sealing(secrets: Path) -> Seal:
    """Encrypts values for the admin to read again; those of late are kept, for the same ones come again and again."""
    return lru_cache(SEALED_KEPT)(SecretBox(secrets).encrypt)
