"""What uploads to companies have in common: their API, and how a model says whose weights it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from studio.deploy.publish.port import Report
from studio.errors import InvalidInput, Unavailable
from studio.train.hosted.http import Api, bearer

OURS = "Whetstone "
LOOK_EVERY_S = 5.0
STEP_S = 0.5
ENTER_IT = "Check the key, then publish again."


def company_api(company: str, url: str, key: str, make: type[Api] = Api) -> Api:
    """The company's API. Raises InvalidInput without a key."""
    if not key:
        raise InvalidInput(f"{company} wants a key. Make one in your account there.")
    return make(company, url.rstrip("/"), bearer(key), (key,), enter_it=ENTER_IT)


def mark(digest: str) -> str:
    """The description a model gets there, by which a second attempt knows its own."""
    return f"{OURS}{digest}"


def pause(report: Report, share: float, text: str, seconds: float = LOOK_EVERY_S) -> None:
    """Wait, and leave when asked to: `report` raises then."""
    until = time.monotonic() + seconds
    report(share, text)
    while time.monotonic() < until:
        time.sleep(min(STEP_S, max(0.0, until - time.monotonic())))
        report(share, text)


@contextmanager
def readable(company: str) -> Iterator[None]:
    """An answer in a form that is not the documented one becomes a sentence."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"{company} answered in a form we cannot read: {error!r}.") from error
