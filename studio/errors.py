"""One error tree. A `StudioError` is a sentence for the user with the fix; anything else is a bug and crashes loudly.

StudioError
├── NotAllowed          the person's role does not permit the verb
├── SignedOut           the sign-in was revoked or has expired
├── NotFound            an id that names nothing (any more)
├── Conflict            the noun is not in a state that allows the verb
├── InvalidInput        what came from outside is wrong: says what, where, and what to do
├── Unavailable         a process or service we need does not answer
└── StorageFull         the disk or quota is full
"""

from __future__ import annotations


class StudioError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None, **facts: object) -> None:
        """Take the message from the class docstring unless one is given; `facts` carry the ids for logs."""
        self.message = message or (self.__doc__ or "Something went wrong.").strip()
        self.facts = facts
        super().__init__(self.message)


class NotAllowed(StudioError):
    """Your role does not allow this. Ask an admin to change it under Settings, People."""


class SignedOut(StudioError):
    """You are signed out. Sign in again to continue; nothing you saved is lost."""


class NotFound(StudioError):
    """This no longer exists. Reload the page to see what is there now."""


class Conflict(StudioError):
    """This cannot be done in the present state. Reload the page and try again."""


class InvalidInput(StudioError):
    """The input is not valid. Correct it and try again."""


class Unavailable(StudioError):
    """A service the studio needs does not answer. Check Settings, Health, and try again."""


class StorageFull(StudioError):
    """The disk is full. Free some space, then try again; nothing already saved is lost."""
