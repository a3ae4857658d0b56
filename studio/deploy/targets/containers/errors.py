"""What a container engine says, as sentences with the fix: the one place that maps its client's exceptions."""

from __future__ import annotations

from dataclasses import dataclass

from docker.errors import APIError, DockerException, ImageNotFound
from requests import RequestException, Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError

from studio.errors import Conflict, InvalidInput, NotFound, StorageFull, StudioError, Unavailable

ENGINE_ERRORS = (DockerException, RequestException, HTTPError, OSError)
SHOWN = 300
NO_IMAGE = (
    "The image {image} is not on the machine of the container engine. Fetch it there with `docker pull {image}`, "
    "or switch the place's option pull on: then the deployment fetches it and shows how far it is."
)
NO_ENGINE = (
    "No container engine answers at {address}. Start Docker (or Podman's socket) there, or correct the place's "
    "address. The embedded server needs no engine."
)
SILENT = "The container engine at {address} takes connections but does not answer. Look at its log and restart it."
NOT_ALLOWED = (
    "The studio may not use the container engine at {address}. Let its user open that socket "
    "(for Docker: `sudo usermod -aG docker USER`, then sign in again), or use a rootless engine. "
    "Whoever may use the socket of an engine that runs as root is as good as root there."
)


@dataclass(frozen=True)
class Rule:
    """Words that mean one thing, whichever engine says them."""

    words: tuple[str, ...]
    kind: type[StudioError]
    sentence: str


RULES = (
    Rule(
        ("no space left on device", "disk quota exceeded"),
        StorageFull,
        "The disk of the container engine is full. Free some space there (`docker system df` shows what takes it), "
        "then deploy again.",
    ),
    Rule(
        ("could not select device driver", "nvidia-container-cli", "cdi device", "unknown or invalid runtime name"),
        Conflict,
        "The container engine cannot hand out a GPU ({text}). Install the NVIDIA Container Toolkit there and restart "
        "the engine, or set the place's option gpu to none to serve on the CPU.",
    ),
    Rule(
        ("port is already allocated", "address already in use"),
        Conflict,
        "Another program has taken the port that the container was to listen on ({text}). Deploy again: each "
        "attempt gets another port.",
    ),
    Rule(
        ("bind source path does not exist", "statfs "),
        Conflict,
        "The container engine does not find the model's folder ({text}). If the studio runs in a container, or the "
        "engine on another machine, set the place's option host_models_path to the folder as the engine sees it.",
    ),
    Rule(
        ("pull access denied", "unauthorized", "manifest unknown", "not found: manifest", "toomanyrequests"),
        Conflict,
        "The image {image} cannot be fetched: {text}. Check its name and tag, or sign the engine in with "
        "`docker login`.",
    ),
    Rule(
        ("executable file not found", "no such file or directory: unknown", "exec format error"),
        Conflict,
        "The image {image} does not start: {text}. Choose the server's own image, built for this machine's processor.",
    ),
    Rule(
        ("duplicate mount", "invalid mount", "invalid reference format", "invalid container name", "range of cpus"),
        InvalidInput,
        "The container engine does not accept the place's options: {text}. Correct them and deploy again.",
    ),
)


def name_taken(error: APIError) -> bool:
    """Whether a container of that name exists; Docker answers 409, Podman 500."""
    said = str(error.explanation or "").lower()
    return "name" in said and "already in use" in said


def explained(error: Exception, address: str, image: str = "") -> StudioError:
    """The sentence for whatever went wrong between us and the engine."""
    text = _said(error)
    if isinstance(error, ImageNotFound) or "no such image" in text.lower():
        return Conflict(NO_IMAGE.format(image=image or "of this place"))
    for rule in RULES:
        if any(word in text.lower() for word in rule.words):
            return rule.kind(rule.sentence.format(text=text[:SHOWN], image=image or "of this place"))
    if isinstance(error, APIError):
        return _refused(error, text, address)
    return _unreachable(error, text, address)


def _refused(error: APIError, text: str, address: str) -> StudioError:
    if error.status_code == 404 and "network" in text.lower():
        return Conflict(f"{text}. Make the place's network first: `docker network create --internal NAME`.")
    if error.status_code == 404:
        return NotFound(f"The container is gone: {text[:SHOWN]}.")
    return Unavailable(f"The container engine at {address} refused: {text[:SHOWN]}")


def _unreachable(error: Exception, text: str, address: str) -> StudioError:
    if "permission denied" in text.lower():
        return Unavailable(NOT_ALLOWED.format(address=address))
    if isinstance(error, Timeout | ReadTimeoutError) or "timed out" in text.lower():
        return Unavailable(SILENT.format(address=address))
    return Unavailable(NO_ENGINE.format(address=address))


def _said(error: Exception) -> str:
    return str((error.explanation if isinstance(error, APIError) else "") or error)
