"""What is wrong with an Argilla server, in words for the page."""

from __future__ import annotations

import re

import httpx

from studio.errors import StudioError, Unavailable
from studio.label.argilla_rest import ArgillaRest, Unreachable
from studio.label.backend import Health

OLDEST = (2, 8)
NO_KEY = "Argilla answers, but the studio has no key for it. Set STUDIO_ARGILLA_API_KEY to its owner's API key."


def test_connection(url: str, key: str) -> Health:
    """Whether the studio can work with this server: it is there, is Argilla, is new enough, the key is an owner's."""
    if not re.match(r"^https?://[^/\s]+", url.strip()):
        return Health(False, f"{url!r} is no address. Write it with http:// or https://, as you open it in a browser.")
    if not key.strip().isascii():
        return Health(False, "This API key has characters that no key of Argilla has. Copy it again.")
    try:
        rest = ArgillaRest(url.strip(), {"X-Argilla-Api-Key": key.strip()}, trust_env=True)
    except httpx.InvalidURL as error:
        return Health(False, f"{url!r} is no address: {error}.")
    try:
        return check(rest, key.strip())
    finally:
        rest.close()


test_connection.__test__ = False  # type: ignore[attr-defined]  # a verb, whatever test collectors think of its name


def check(rest: ArgillaRest, key: str) -> Health:
    """Whether the server behind a connection can be worked with; never raises, and takes seconds at most."""
    try:
        found = str(rest.quick("/version")["version"])
    except Unreachable as error:
        return Health(False, error.message)
    except (StudioError, KeyError, TypeError):
        return Health(False, f"What answers at {rest.url} is not Argilla. Check the address, with its port and path.")
    if not _new_enough(found):
        return Health(False, f"This is Argilla {found}; the studio needs 2.8 or newer. Upgrade argilla-server.")
    if not key:
        return Health(False, NO_KEY)
    return _owner(rest, found)


def _owner(rest: ArgillaRest, version: str) -> Health:
    try:
        me = rest.quick("/me")
    except Unreachable as error:
        return Health(False, error.message)
    except Unavailable:
        return Health(False, f"Argilla {version} answers, but does not know this API key. Copy the owner's again.")
    except StudioError as error:
        return Health(False, error.message)
    if me.get("role") != "owner":
        who = f"{me.get('username')} ({me.get('role')})"
        return Health(False, f"This API key is {who}'s; the studio makes workspaces, so it needs an owner's.")
    return Health(True, f"Argilla {version} answers")


def _new_enough(version: str) -> bool:
    found = re.match(r"^(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST
