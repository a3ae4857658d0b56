"""Hugging Face Inference Endpoints, through huggingface_hub: TGI on their hardware, billed while it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from studio.access.places import Health
from studio.deploy.targets.kinds import ENDPOINTS
from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.deploy.targets.seen import forget, recalled, remember
from studio.errors import Conflict, InvalidInput, StudioError, Unavailable

if TYPE_CHECKING:
    from huggingface_hub import HfApi, InferenceEndpoint, InferenceEndpointHardware

IMAGE = "ghcr.io/huggingface/text-generation-inference:3.3.7"
MODEL_FOLDER = "/repository"
"""Where Hugging Face puts the repository; TGI names its model after that folder, and takes no other name."""
OURS = "WHETSTONE_REVISION"
LONGEST_NAME = 32
THEIR_HOST = ".endpoints.huggingface.cloud"
API_S = 30.0
LOOK_S = 10.0
NOT_ON_THE_HUB = "Inference Endpoints load a model from the Hub. Publish this one there first."
COMING = ("pending", "initializing", "updating", "running", "scaledToZero")
BROKEN = ("failed", "updateFailed")


@dataclass(frozen=True)
class Price:
    """What an hour of one replica costs, and who says so."""

    usd: float | None
    sentence: str


class EndpointsTarget:
    """One endpoint per revision, named after it, so that a repeated launch finds it instead of paying twice."""

    caps = Caps(needs_weights=False, grammar=True, private=False, outlives_studio=True)

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()
        defaults = {option.name: option.default for option in ENDPOINTS.options}
        self.options: dict[str, Any] = {**defaults, **self.place.options}

    def launch(self, launch: Launch) -> Running:
        """Create the endpoint, wake a paused one, or find it. Its address is told by `look` once there is one."""
        name = endpoint_name(launch)
        with plain_errors():
            found = self._find(name)
            if found is None:
                found = self._create(name, launch)
            elif _owner(found) not in ("", launch.revision_id):
                raise Conflict(f"There is an endpoint {name} of another revision. Delete or rename it.")
            elif found.status in BROKEN:
                raise Conflict(
                    f"Hugging Face could not run {name}: {_message(found)}. Delete it there, then deploy again."
                )
            else:
                found = self._up_to_date(found, launch)
        forget(launch.folder)
        return Running(name, self._address(found), "tgi", MODEL_FOLDER)

    def look(self, handle: str, folder: Path) -> Look:
        """What Hugging Face says of it; while nothing is known it counts as running.

        The worker looks every other second, and their API is not there for that: an answer is good for a while.
        """
        seen = recalled(folder, handle, LOOK_S)
        if seen is None:
            seen = self._look(handle)
            remember(folder, handle, seen)
        return seen

    def _look(self, handle: str) -> Look:
        try:
            with plain_errors():
                found = self._find(handle)
        except StudioError as error:
            return Look(True, f"Nothing is known now: {error.message}")
        if found is None:
            return Look(False, f"Hugging Face has no endpoint {handle} any more.")
        status = str(getattr(found.status, "value", found.status))
        said = f"{handle} is {status}: {_message(found)}"
        try:
            return Look(status in COMING, said, endpoint=self._address(found))
        except Conflict as error:
            return Look(False, error.message)

    def stop(self, handle: str, now: bool = False) -> None:
        """Pause it, or delete it where the place says so: either way nothing is billed. Raises StudioError."""
        with plain_errors():
            found = self._find(handle)
            if found is None or found.status == "paused":
                return
            if self.options["when_stopped"] == "delete":
                self.api.delete_inference_endpoint(handle, namespace=self.namespace)
            else:
                self.api.pause_inference_endpoint(handle, namespace=self.namespace)

    def refusals(self, repository: str) -> list[str]:
        """It must be on the Hub, and somebody must have confirmed what it costs."""
        found = [] if repository else [NOT_ON_THE_HUB]
        if not self.options.get("confirmed"):
            found.append(
                f"Serving at {self.place.name or 'Hugging Face'} costs money. Test the place to see its price, "
                "and confirm it under Settings, Serving."
            )
        return found

    def scale_to_zero(self, handle: str) -> None:
        """Let it sleep until the next call, which then waits for it to load. Raises StudioError."""
        with plain_errors():
            self.api.scale_to_zero_inference_endpoint(handle, namespace=self.namespace)

    def delete(self, handle: str) -> None:
        """Remove the endpoint for good. Raises StudioError."""
        with plain_errors():
            self.api.delete_inference_endpoint(handle, namespace=self.namespace)

    def check(self) -> Health:
        """Who pays, and what an hour costs. Raises StudioError if the token is refused."""
        with plain_errors():
            who, price = self.namespace, self.price()
        confirmed = bool(self.options.get("confirmed"))
        need = () if confirmed else ("Nothing is started before somebody confirms the price.",)
        return Health(True, f"Signed in as {who}. {price.sentence}", need, {"dialect": "tgi"}, price.usd)

    def price(self) -> Price:
        """Hugging Face's price of the chosen hardware, else the one somebody entered, else none."""
        found = self._hardware()
        wanted = self._wanted()
        if found is not None and found.status in ("not_available", "deprecated"):
            return Price(found.price_per_hour, f"{wanted} is {found.status.replace('_', ' ')}. Choose other hardware.")
        if found is not None:
            return Price(found.price_per_hour, f"{wanted} costs ${found.price_per_hour:.2f} an hour while it runs.")
        own = self.options.get("price_per_hour")
        if own:
            return Price(float(own), f"{wanted} costs ${float(own):.2f} an hour, as you entered it.")
        return Price(None, f"Hugging Face tells no price for {wanted}. Enter yours under “Your price”.")

    @cached_property
    def api(self) -> HfApi:
        """Their client, with a limit on how long it waits. Raises InvalidInput without a token."""
        from huggingface_hub import HfApi, get_session

        if not self.place.key:
            raise InvalidInput("Inference Endpoints need a token that may write. Enter one under Settings, Serving.")
        get_session().timeout = API_S
        return HfApi(token=self.place.key)

    @cached_property
    def namespace(self) -> str:
        """The account that pays."""
        return str(self.options.get("namespace") or self.api.whoami()["name"])

    def _find(self, name: str) -> InferenceEndpoint | None:
        from huggingface_hub.errors import HfHubHTTPError

        try:
            return self.api.get_inference_endpoint(name, namespace=self.namespace)
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code == 404:
                return None
            raise

    def _create(self, name: str, launch: Launch) -> InferenceEndpoint:
        if not launch.repository:
            raise InvalidInput(NOT_ON_THE_HUB)
        if not self.options.get("confirmed"):
            raise InvalidInput(
                f"Serving there costs money: {self.price().sentence} Confirm that under Settings, Serving, first."
            )
        repository, _, revision = launch.repository.partition("@")
        return self.api.create_inference_endpoint(
            name,
            repository=repository,
            revision=revision or None,
            framework="pytorch",
            task="text-generation",
            custom_image=self._image(),
            env=self._environment(launch),
            type="authenticated",
            namespace=self.namespace,
            **self._compute(),
        )

    def _up_to_date(self, found: InferenceEndpoint, launch: Launch) -> InferenceEndpoint:
        """The same endpoint with the place's present hardware and image, awake."""
        wanted = {"instanceType": "instance_type", "instanceSize": "instance_size", "accelerator": "accelerator"}
        compute = found.raw.get("compute") or {}
        if any(str(compute.get(theirs)) != str(self.options[ours]) for theirs, ours in wanted.items()):
            chosen = {name: value for name, value in self._compute().items() if name not in ("region", "vendor")}
            found = self.api.update_inference_endpoint(
                found.name, namespace=self.namespace, custom_image=self._image(), **chosen
            )
        if found.status == "paused":
            found = self.api.resume_inference_endpoint(found.name, namespace=self.namespace)
        return found

    def _image(self) -> dict[str, Any]:
        return {"url": str(self.options.get("image") or IMAGE), "healthRoute": "/health", "port": 80}

    def _compute(self) -> dict[str, Any]:
        names = ("accelerator", "instance_size", "instance_type", "region", "vendor")
        chosen = {name: str(self.options[name]) for name in names}
        least, most = int(self.options["min_replica"]), max(1, int(self.options["max_replica"]))
        minutes = int(self.options["scale_to_zero_minutes"] or 0)
        sleeps = {"scale_to_zero_timeout": minutes} if minutes and not least else {}
        return {**chosen, "min_replica": least, "max_replica": most, **sleeps}

    def _environment(self, launch: Launch) -> dict[str, str]:
        longest = int((launch.options or {}).get("max_total_tokens") or self.options.get("max_total_tokens") or 0)
        limit = {"MAX_TOTAL_TOKENS": str(longest)} if longest else {}
        return {"MODEL_ID": MODEL_FOLDER, "PORT": "80", "USAGE_STATS": "off", OURS: launch.revision_id, **limit}

    def _hardware(self) -> InferenceEndpointHardware | None:
        """The chosen hardware in Hugging Face's own list."""
        every = self.api.list_inference_endpoints_hardware(namespace=self.namespace)
        names = ("vendor", "region", "accelerator", "instance_type", "instance_size")
        return next((each for each in every if all(getattr(each, name) == self.options[name] for name in names)), None)

    def _wanted(self) -> str:
        return " ".join(str(self.options[name]) for name in ("vendor", "region", "instance_type", "instance_size"))

    def _address(self, found: InferenceEndpoint) -> str:
        """Its address, if it has one: a token that may spend money goes to no host but theirs. Raises Conflict."""
        from huggingface_hub import constants

        if not found.url:
            return ""
        host = urlsplit(found.url).hostname or ""
        api = urlsplit(constants.INFERENCE_ENDPOINTS_ENDPOINT).hostname
        if host != api and not (found.url.startswith("https://") and host.endswith(THEIR_HOST)):
            raise Conflict(f"Hugging Face named {found.url} as the endpoint's address. The token is not sent there.")
        return str(found.url).rstrip("/")


def endpoint_name(launch: Launch) -> str:
    """The revision's endpoint: what people recognise, and enough of its id to be alone."""
    mark = launch.revision_id[:8].lower()
    words = re.sub(r"[^a-z0-9]+", "-", launch.served_name.lower()).strip("-") or "model"
    return f"{words[: LONGEST_NAME - len(mark) - 1].strip('-')}-{mark}"


def _owner(found: InferenceEndpoint) -> str:
    env = (found.raw.get("model") or {}).get("env") or {}
    return str(env.get(OURS, ""))


def _message(found: InferenceEndpoint) -> str:
    return str((found.raw.get("status") or {}).get("message") or "it does not say why").strip(". ")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in our words what Hugging Face and the network say in theirs."""
    from httpx2 import HTTPError  # what huggingface_hub speaks HTTP with
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise Unavailable("HF_HUB_OFFLINE keeps this machine from Hugging Face. Unset it to serve there.") from error
    except HfHubHTTPError as error:
        raise _in_our_words(error) from error
    except HTTPError as error:
        raise Unavailable(f"Hugging Face does not answer ({str(error) or type(error).__name__}).") from error
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"Hugging Face answered in a form we cannot read: {error!r}.") from error


def _in_our_words(error: Any) -> StudioError:
    code = error.response.status_code if error.response is not None else 0
    said = str(error.server_message or "").strip().rstrip(".")
    why = f": {said}" if said else ""
    if code in (401, 403):
        return Conflict(f"Hugging Face refused the token (HTTP {code}){why}. It must be allowed to write endpoints.")
    if code == 402:
        return Conflict(f"Hugging Face wants a payment method on the account before it serves{why}.")
    if code in (400, 404, 409, 422):
        return Conflict(f"Hugging Face refused this (HTTP {code}){why}.")
    if code == 429:
        return Unavailable("Hugging Face takes no more requests just now. Try again in a minute.")
    return Unavailable(f"Hugging Face answered HTTP {code}{why}. Try again.")
