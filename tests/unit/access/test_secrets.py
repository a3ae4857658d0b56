"""The key file: private, made once, rotatable."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from studio.access.secrets import SecretBox
from studio.errors import Conflict


def test_what_goes_in_comes_out_and_is_unreadable_in_between(tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "secrets")
    sealed = box.encrypt("sk-upstream")
    assert "sk-upstream" not in sealed
    assert SecretBox(tmp_path / "secrets").decrypt(sealed) == "sk-upstream"


def test_the_key_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "secrets")
    assert stat.S_IMODE(box.path.stat().st_mode) == 0o600
    assert [path.name for path in box.path.parent.iterdir()] == ["master.key"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    SecretBox(tmp_path).path.chmod(mode)
    with pytest.raises(Conflict, match="chmod 600"):
        SecretBox(tmp_path)


def test_a_new_key_on_top_keeps_old_secrets_readable(tmp_path: Path) -> None:
    box = SecretBox(tmp_path)
    sealed = box.encrypt("old")
    box.path.write_bytes(Fernet.generate_key() + b"\n" + box.path.read_bytes())
    assert SecretBox(tmp_path).decrypt(sealed) == "old"


def test_a_secret_of_another_key_file_says_what_to_do(tmp_path: Path) -> None:
    sealed = SecretBox(tmp_path / "a").encrypt("x")
    with pytest.raises(Conflict, match="Put back the key file"):
        SecretBox(tmp_path / "b").decrypt(sealed)
