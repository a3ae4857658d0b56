"""SecretBox: encrypts what the studio must be able to read back (providers' keys), with a key file of its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from studio.errors import Conflict

KEY_FILE = "master.key"
MOST_OPENED = 4096


class SecretBox:
    """Fernet with a key file only this user may read; one key per line, the newest first, so keys can be rotated."""

    def __init__(self, folder: Path) -> None:
        """Open the folder's key file, making it on first use. Raises Conflict if others may read it."""
        self.path = folder / KEY_FILE
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.path.exists():
            _make_key(self.path)
        _refuse_wide_mode(self.path)
        self._fernet = MultiFernet([Fernet(line) for line in self.path.read_bytes().split()])

    def encrypt(self, text: str) -> str:
        """The text, unreadable without the key file."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """The text that was sealed. Raises Conflict if it was sealed with another key file."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Conflict(
                f"A saved secret cannot be read with {self.path}. Put back the key file it was saved with, "
                "or enter the secret again under Settings, Providers."
            ) from error


class OpenedOnce:
    """Remembers what it has opened, for a process that reads the same secrets every second."""

    def __init__(self, box: SecretBox) -> None:
        self.decrypt: Callable[[str], str] = lru_cache(MOST_OPENED)(box.decrypt)


def _make_key(path: Path) -> None:
    """Write a whole key file or none; of two processes starting at once, one wins and both use its key."""
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the other process was first: its key is the one
    finally:
        draft.unlink()


def _refuse_wide_mode(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise Conflict(f"{path} can be read by others (mode {mode:o}). Close it with: chmod 600 {path}")
