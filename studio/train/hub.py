"""Base models from the Hugging Face Hub: a short menu with sizes and licences, and the download."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InvalidInput, StorageFull, Unavailable
from studio.train.shape import ModelShape

WANTED_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]


@dataclass(frozen=True)
class HubBase:
    """A model on the menu. `config` is the part of its config.json that sizes follow from."""

    hub_id: str
    licence: str
    note: str
    config: dict[str, Any]

    @property
    def name(self) -> str:
        """The name without its owner."""
        return self.hub_id.rpartition("/")[2]

    @property
    def shape(self) -> ModelShape:
        """Its size."""
        return ModelShape.of_config(self.config)


def _config(
    family: str, vocabulary: int, hidden: int, layers: int, heads: int, keys: int, **more: int
) -> dict[str, Any]:
    sizes = {"vocab_size": vocabulary, "hidden_size": hidden, "num_hidden_layers": layers}
    attention = {"num_attention_heads": heads, "num_key_value_heads": keys, "tie_word_embeddings": True}
    return {"model_type": family, **sizes, **attention, **more}


MENU = (
    HubBase(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Apache 2.0: free to use and change, also commercially.",
        "Smallest; trains on a laptop. English, short and simple tasks.",
        _config("llama", 49152, 576, 30, 9, 3, intermediate_size=1536, max_position_embeddings=8192),
    ),
    HubBase(
        "HuggingFaceTB/SmolLM2-360M-Instruct",
        "Apache 2.0: free to use and change, also commercially.",
        "Small; patient on a CPU, quick on any GPU. English.",
        _config("llama", 49152, 960, 32, 15, 5, intermediate_size=2560, max_position_embeddings=8192),
    ),
    HubBase(
        "Qwen/Qwen3-0.6B",
        "Apache 2.0: free to use and change, also commercially.",
        "The usual first choice with a GPU: many languages, strict formats.",
        _config("qwen3", 151936, 1024, 28, 16, 8, head_dim=128, intermediate_size=3072, max_position_embeddings=40960),
    ),
    HubBase(
        "Qwen/Qwen3-1.7B",
        "Apache 2.0: free to use and change, also commercially.",
        "More knowledge and reasoning; wants a GPU with 12 GB or more.",
        _config("qwen3", 151936, 2048, 28, 16, 8, head_dim=128, intermediate_size=6144, max_position_embeddings=40960),
    ),
    HubBase(
        "meta-llama/Llama-3.2-1B-Instruct",
        "Llama 3.2 Community License: accept it on the Hub first; say “Built with Llama”.",
        "Strong English; the download needs a Hub token (HF_TOKEN).",
        _config("llama", 128256, 2048, 16, 32, 8, head_dim=64, intermediate_size=8192, max_position_embeddings=131072),
    ),
)


def on_menu(hub_id: str) -> HubBase:
    """The menu entry. Raises InvalidInput for a model that is not on it."""
    found = next((base for base in MENU if base.hub_id == hub_id), None)
    if found is None:
        raise InvalidInput(f"{hub_id} is not on the menu. Choose one of {', '.join(b.hub_id for b in MENU)}.")
    return found


def download(hub_id: str, revision: str, folder: Path) -> str:
    """Fetch a model into `folder`, resuming what is there, and return the commit it is at.

    Raises Unavailable with what to do when the Hub cannot be reached or refuses.
    """
    from huggingface_hub import snapshot_download

    with _plain_errors(hub_id):
        commit = _commit(hub_id, revision)
        snapshot_download(hub_id, revision=commit, local_dir=folder, allow_patterns=WANTED_FILES)
    return commit


def commit_of(hub_id: str, revision: str = "") -> str:
    """The commit that a revision, or the newest, is at. Raises Unavailable like `download`."""
    with _plain_errors(hub_id):
        return _commit(hub_id, revision)


def _commit(hub_id: str, revision: str) -> str:
    from huggingface_hub import HfApi

    return HfApi().model_info(hub_id, revision=revision or None, timeout=20).sha or revision


@contextmanager
def _plain_errors(hub_id: str) -> Iterator[None]:
    from httpx2 import HTTPError  # what huggingface_hub speaks HTTP with
    from huggingface_hub.errors import GatedRepoError

    try:
        yield
    except GatedRepoError as error:
        raise Unavailable(
            f"{hub_id} asks you to accept its licence: do so at https://huggingface.co/{hub_id}, set HF_TOKEN for the "
            "worker, and try again."
        ) from error
    except (OSError, HTTPError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise StorageFull() from error
        raise _unreachable(hub_id) from error


def _unreachable(hub_id: str) -> Unavailable:
    return Unavailable(
        f"{hub_id} could not be downloaded: the Hugging Face Hub does not answer. Check this machine's network (and "
        "HTTPS_PROXY), or choose a base model that is already here; then press Retry."
    )
