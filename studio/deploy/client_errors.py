"""What can go wrong when we ask a model server, mapped once: every httpx and hub exception becomes one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx

from studio.errors import Unavailable

SHOWN = 300
BUSY = (429, 503)
ADVICE = {
    401: "It refused our key. Enter the key it was started with.",
    403: "It refused our key. Enter the key it was started with.",
    404: "It does not know this model name or address. Check what it serves.",
    408: "It took too long. Ask for fewer tokens, or give it a bigger machine.",
    413: "The conversation is too long for it. Send less text, or start it with more room.",
}
TOO_LONG = ("must have less than", "must be <=", "maximum context length", "max_model_len", "context length")


class ServerBusy(Unavailable):
    """The model server answers too many calls at once. Wait a moment and try again."""


@contextmanager
def mapped(endpoint: str) -> Iterator[None]:
    """Turn what the clients raise inside into Unavailable (or ServerBusy) with what to do."""
    import httpx2
    from huggingface_hub.errors import TextGenerationError

    try:
        yield
    except TextGenerationError as error:
        raise _refused(endpoint, None, str(error)) from error
    except (httpx.TimeoutException, httpx2.TimeoutException, TimeoutError) as error:
        raise Unavailable(f"The model server at {endpoint} took too long to answer. Look at its log.") from error
    except (httpx.HTTPError, httpx2.HTTPError) as error:
        reply = getattr(error, "response", None)
        if reply is None:
            raise Unavailable(f"Nothing answers at {endpoint} ({error}). Is the server still running?") from error
        raise _refused(endpoint, reply.status_code, _text(reply), _place(reply)) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Unavailable(f"The model server at {endpoint} answered in a form we cannot read: {error!r}") from error


def _refused(endpoint: str, status: int | None, said: str, place: str = "") -> Unavailable:
    told = f" It said: {said[:SHOWN]}" if said.strip() else ""
    if status in BUSY or "overloaded" in said:
        return ServerBusy(f"The model server at {endpoint} has too many calls right now. Try again in a moment.{told}")
    if any(words in said for words in TOO_LONG):
        return Unavailable(f"The conversation is too long for the model server at {endpoint}. Send less text.{told}")
    if status is not None and 300 <= status < 400:
        return Unavailable(
            f"{endpoint} sends us on to {place}. The key stays here: enter the address that answers itself."
        )
    advice = ADVICE.get(status or 0, "")
    return Unavailable(f"The model server at {endpoint} refused{f' ({status})' if status else ''}. {advice}{told}")


def _text(reply: Any) -> str:
    try:
        return str(reply.text)
    except (RuntimeError, httpx.StreamError):  # a stream whose body was never read
        return ""


def _place(reply: Any) -> str:
    return str(reply.headers.get("location", "somewhere else"))[:SHOWN]


@cache
def reach_own_servers() -> None:
    """Make the hub's HTTP client usable for servers of our own.

    HF_HUB_OFFLINE, usual on machines that are cut off, makes it refuse every address; and only the hub itself may send
    us on to another address, for our key would travel along.
    """
    import httpx2
    from huggingface_hub import constants, set_client_factory

    hub = httpx2.URL(constants.ENDPOINT).host

    class Session(httpx2.Client):
        def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            if request.method != "POST" or request.url.host == hub:
                return super().send(request, **options)
            reply = super().send(request, **{**options, "follow_redirects": False})
            if reply.is_redirect:  # the hub's client would take it for an answer
                raise httpx2.HTTPStatusError("sent on", request=request, response=reply)
            return reply

    set_client_factory(lambda: Session(follow_redirects=True, timeout=None, trust_env=False))
