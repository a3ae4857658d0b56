"""Before anything is copied or started: would this target serve these weights rightly, and if not, which one would."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.deploy.artifact.architectures import TGI_KINDS, able, support, title
from studio.deploy.artifact.export import NEEDED
from studio.deploy.artifact.files import Files, FolderFiles, StoredFiles, read_json, read_text
from studio.deploy.artifact.forms import ADAPTER, MERGED, adapter_digest, base_digest, chosen_form
from studio.deploy.artifact.quantised import refused_quantisation
from studio.deploy.artifact.safety import dangers
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.port import Place
from studio.errors import StudioError
from studio.settings import Settings
from studio.train.machine import host_memory, this_machine
from studio.train.v4_config import lost_in_v4

GB = 1_000_000_000
ROOM_TO_RUN = 1.2
"""A server needs its weights' bytes and this much on top, before the first conversation is kept in memory."""
ENGINE_KINDS = ("tgi", "vllm")
"""Targets that start a server on a container engine, which may be this machine's."""


@dataclass(frozen=True)
class Problem:
    """What stands against it, with the fix. `offer` is a kind of target that can, if there is one."""

    text: str
    blocking: bool = True
    offer: str = ""


@dataclass(frozen=True)
class Facts:
    """What preflight looks at: the weights a server would load, and where they would be laid out."""

    files: Files
    adapter: Files | None = None
    """The adapter's own files, when only they are pushed."""
    memory: int = 0
    """Bytes of memory at the target; 0 if nobody told."""
    room: Path | None = None
    """Where the weights would be laid out; None when they lie there already."""
    options: dict[str, Any] = field(default_factory=dict)
    """The revision's settings."""


def preflight(
    subject: Path | Facts,
    kind: str,
    form: str = MERGED,
    place: Place | None = None,
    options: dict[str, Any] | None = None,
) -> list[Problem]:
    """What speaks against serving these files on a target of this kind; blocking problems first."""
    facts = subject if isinstance(subject, Facts) else Facts(FolderFiles(subject), options=dict(options or {}))
    spot = place or Place()
    if not serving_target(kind, spot).caps.needs_weights:
        return []  # the files there are somebody else's; the gates judge what answers
    blocked = [Problem(text) for text in dangers(facts.files)]
    blocked += [Problem(f"Its adapter: {text}") for text in (dangers(facts.adapter) if facts.adapter else ())]
    found = blocked or [
        *_incomplete(facts.files),
        *_unknown(facts.files, kind, form),
        *_untellable(facts.files, kind),
        *_too_large(facts, kind, spot),
        *_quantised(facts, kind, spot),
    ]
    return sorted(found, key=lambda problem: not problem.blocking)


def preflight_model(
    artifacts: Artifacts,
    settings: Settings,
    model: Model,
    kind: str,
    form: str = "auto",
    place: Place | None = None,
    options: dict[str, Any] | None = None,
) -> list[Problem]:
    """The same for a registered model, read in the artifact store: nothing is laid out."""
    if not serving_target(kind, place).caps.needs_weights:
        return []
    if not artifacts.exists(model.digest):
        return [Problem(f"The weights of {model.name} are not here. Train it again, or restore them from a backup.")]
    try:
        chosen = chosen_form(artifacts, model, kind, form, place).form
    except StudioError as error:
        return [Problem(error.message, offer="" if kind == "embedded" else "embedded")]
    whole = base_digest(model) if chosen == ADAPTER else model.digest
    adapter = StoredFiles(artifacts, adapter_digest(model)) if chosen == ADAPTER else None
    laid_out = (settings.root / "models" / whole / ".artifact").exists()
    facts = Facts(
        StoredFiles(artifacts, whole), adapter, room=None if laid_out else settings.root, options=dict(options or {})
    )
    return preflight(facts, kind, chosen, place)


def _incomplete(files: Files) -> Iterator[Problem]:
    sizes = files.sizes()
    if missing := [name for name in NEEDED if name not in sizes]:
        yield Problem(f"{', '.join(missing)} is missing. Make the model again, or restore it from a backup.")
    if not any(name.startswith("model") and name.endswith(".safetensors") for name in sizes):
        yield Problem("There are no weights in safetensors form. Save the model again with save_pretrained.")
    if "adapter_config.json" in sizes:
        yield Problem("It is an adapter without its base. Bring it back on Train, where it is merged.")
    if not (read_text(files, "chat_template.jinja") or read_json(files, "tokenizer_config.json").get("chat_template")):
        yield Problem("It has no chat template, so it cannot answer conversations. Train from a base that has one.")


def _unknown(files: Files, kind: str, form: str) -> Iterator[Problem]:
    config = read_json(files, "config.json")
    model_type = str(config.get("model_type", ""))
    found = support(model_type, kind)
    if found.serves == "no":
        other = able(model_type, kind, form == ADAPTER)
        fix = (
            f" Serve it on {_in_text(other)} instead."
            if other
            else " No target here is known to serve it; a newer vLLM of your own may: deploy it as an external server."
        )
        yield Problem(found.reason + fix, offer=other)
    elif found.reason and (found.serves != "yes" or form == ADAPTER):
        yield Problem(found.reason, blocking=False)


def _untellable(files: Files, kind: str) -> Iterator[Problem]:
    """What transformers 4.51, which TGI is made with, has no word for."""
    config = read_json(files, "config.json")
    model_type = str(config.get("model_type", ""))
    if kind not in TGI_KINDS or support(model_type, kind).serves == "no":
        return
    if lost := lost_in_v4(config):
        other = next((each for each in ("vllm", "embedded") if support(model_type, each).serves in ("yes", "slow")), "")
        fix = f" Serve it on {_in_text(other)} instead." if other else ""
        yield Problem(f"TGI 3.3.7 would answer wrongly: it cannot be told of {', '.join(lost)}.{fix}", offer=other)


def _too_large(facts: Facts, kind: str, place: Place) -> Iterator[Problem]:
    whole = sum(size for name, size in facts.files.sizes().items() if name.endswith(".safetensors"))
    wanted = int(whole * ROOM_TO_RUN)
    memory = facts.memory or _memory_at(kind, place)
    if memory and wanted > memory and not _quantise(facts, place):
        yield Problem(
            f"Its weights need about {wanted / GB:.1f} GB of memory to run, and there are {memory / GB:.1f} GB. "
            "Choose a place with more, a smaller base, or weights in fewer bits (quantize)."
        )
    if facts.room is None:
        return
    free = shutil.disk_usage(_existing(facts.room)).free
    if (needed := sum(facts.files.sizes().values())) > free:
        yield Problem(
            f"Laying its files out takes {needed / GB:.1f} GB of disk, and {free / GB:.1f} GB are free at "
            f"{facts.room}. Delete models you no longer serve, or move STUDIO_HOME to a larger disk."
        )


def _quantised(facts: Facts, kind: str, place: Place) -> Iterator[Problem]:
    config = read_json(facts.files, "config.json")
    if why := refused_quantisation(kind, _quantise(facts, place), config.get("quantization_config")):
        yield Problem(why)


def _quantise(facts: Facts, place: Place) -> str:
    return str(facts.options.get("quantize") or place.options.get("quantize") or "")


def _memory_at(kind: str, place: Place) -> int:
    """Bytes of memory the weights go into: told with the place, or seen if it is this machine; 0 if nobody knows."""
    told, gpu = place.options.get("gpu_memory_gb"), str(place.options.get("gpu") or "all")
    if told:
        return int(float(told) * GB)
    if kind == "embedded":
        return this_machine().room
    if kind not in ENGINE_KINDS or (place.url and not place.url.startswith("unix")):
        return 0
    if gpu == "none":
        return host_memory()
    count = 1 if gpu == "all" else len(gpu.split(","))
    return int(this_machine().gpu_memory * count * float(place.options.get("gpu_share") or 1))


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _in_text(kind: str) -> str:
    name = title(kind)
    return name[0].lower() + name[1:] if kind == "embedded" else name
