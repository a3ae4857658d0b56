"""Passwords: argon2id hashes, checked in the same time whether or not the person exists."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from studio.errors import InvalidInput

MIN_LENGTH, MAX_LENGTH = 10, 500
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)  # OWASP's minimum: about 20 ms
NOBODY = HASHER.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """The hash to store. Raises InvalidInput for a password that is too short to be safe."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidInput(f"Choose a password of at least {MIN_LENGTH} characters.")
    return HASHER.hash(password)


def is_right(stored: str, password: str) -> bool:
    """Whether the password matches; with nothing stored it works as long, and says no."""
    try:
        return HASHER.verify(stored or NOBODY, password[:MAX_LENGTH]) and bool(stored)
    except (VerifyMismatchError, InvalidHashError):
        return False
