"""What people may set for containers: per place by an admin, a few of them per revision; checked before use."""

from __future__ import annotations

import ipaddress
import re
import shlex
from typing import Annotated, Any

from docker.errors import DockerException
from docker.utils import parse_bytes
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from studio.errors import InvalidInput

PER_REVISION = ("gpu", "gpu_share", "dtype", "quantize", "max_total_tokens")
"""Whoever may deploy may set these; the others reach into the machine and belong to the place."""
LOOPBACK = "127.0.0.1"
SHARED_NETWORKS = ("host", "bridge", "default", "none")
GPU_ID = r"\d+|(GPU|MIG)-[A-Za-z0-9-]+"
# Flags the studio sets itself, and flags that run code, read files or send data elsewhere.
FORBIDDEN_FLAGS = """
    --model --model-id --revision --served-model-name --tokenizer --tokenizer-config-path --chat-template --config
    --port --host --hostname --uds --root-path --api-key --cors-allow-origin --allowed-origins --ssl-keyfile
    --lora-adapters --lora-modules --enable-lora --trust-remote-code --middleware --logits-processors
    --tool-parser-plugin --reasoning-parser-plugin --allowed-local-media-path --download-dir --otlp-endpoint
    --otlp-traces-endpoint --huggingface-hub-cache --worker-cls --worker-extension-cls --scheduler-cls
"""


def _size(given: Any) -> int:
    """Bytes of "8g", "512m" or a number."""
    try:
        return int(parse_bytes(given or 0))
    except (DockerException, TypeError, ValueError) as error:
        raise ValueError("write it as 8g or 512m") from error


def _words(given: Any) -> list[str]:
    """The words of a command line, however it was cut into lines."""
    lines = [given] if isinstance(given, str) else list(given or [])
    return [word for line in lines for word in shlex.split(str(line))]


Size = Annotated[int, BeforeValidator(_size)]


class ContainerOptions(BaseModel):
    """The options of a place for containers, with those of one revision on top."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str = Field("", max_length=300)
    """Empty: the pinned image for the chosen hardware."""
    gpu: str = "all"
    """all, none, or the ids of GPUs: 0,1"""
    gpu_share: float = Field(0, ge=0, le=1)
    """How much of the GPU's memory one server may take; 0 leaves it to the server."""
    network: str = ""
    """A private network of the engine; empty: a port on the engine's machine."""
    bind_address: str = LOOPBACK
    """The address whose port leads to the server when there is no network."""
    shm: Size = 1 << 30
    memory: Size = 0
    dtype: str = Field("", pattern=r"^[a-z0-9]*$")
    quantize: str = Field("", pattern=r"^[a-z0-9_-]*$")
    max_total_tokens: int = Field(0, ge=0)
    extra_args: Annotated[list[str], BeforeValidator(_words)] = []
    host_models_path: str = ""
    """The studio's folder `models` as the engine sees it, when that is another path."""
    pull: bool = False
    """Fetch a missing image in the deployment instead of refusing."""

    @field_validator("gpu", mode="before")
    @classmethod
    def _gpu(cls, given: Any) -> str:
        chosen = ",".join(str(part) for part in given) if isinstance(given, list) else str(given or "all")
        cleaned = chosen.replace(" ", "")
        if cleaned not in ("all", "none") and not all(re.fullmatch(GPU_ID, one) for one in cleaned.split(",")):
            raise ValueError("write all, none, or ids such as 0,1")
        return cleaned

    @field_validator("network")
    @classmethod
    def _network(cls, given: str) -> str:
        if given in SHARED_NETWORKS or given.startswith("container:"):
            raise ValueError("use a network of its own, made by `docker network create --internal NAME`")
        return given

    @field_validator("bind_address")
    @classmethod
    def _bind_address(cls, given: str) -> str:
        """Servers guard only some of their routes, so their port is never a public one."""
        address = ipaddress.ip_address(given)
        if address.is_unspecified or address.is_global or address.is_multicast:
            raise ValueError("use 127.0.0.1 or an address of a private network: a model server must not be public")
        return given

    @field_validator("extra_args")
    @classmethod
    def _extra_args(cls, given: list[str]) -> list[str]:
        if bad := [word for word in given if _forbidden(word)]:
            raise ValueError(f"{', '.join(bad)} cannot be set here: the studio sets it, or it would weaken the server")
        return given

    @field_validator("host_models_path")
    @classmethod
    def _whole_path(cls, given: str) -> str:
        if given and not given.startswith("/"):
            raise ValueError("write the whole path, from / on")
        return given

    @property
    def gpus(self) -> list[str]:
        """The chosen GPUs by id; empty for all and for none."""
        return [] if self.gpu in ("all", "none") else self.gpu.split(",")

    @property
    def on_cpu(self) -> bool:
        """Whether the server computes without a GPU."""
        return self.gpu == "none"


def options_of(place: dict[str, Any], revision: dict[str, Any] | None) -> ContainerOptions:
    """The place's options with what the revision may set on top. Raises InvalidInput with the option's name."""
    own = {name: value for name, value in (revision or {}).items() if name in PER_REVISION and value not in (None, "")}
    try:
        return ContainerOptions.model_validate({**{k: v for k, v in place.items() if v is not None}, **own})
    except ValidationError as error:
        first = error.errors()[0]
        what = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidInput(f"The option {first['loc'][0]} is not valid: {what}.") from error


def _forbidden(word: str) -> bool:
    """Both servers take --flag=value, and vLLM also --flag_name and any prefix that is unambiguous."""
    flag = word.lower().replace("_", "-").partition("=")[0].split(".")[0]
    return len(flag) > 2 and flag.startswith("--") and any(known.startswith(flag) for known in FORBIDDEN_FLAGS.split())
