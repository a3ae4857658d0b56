"""In which form a model can be pushed: merged weights always, its LoRA adapter alone where nothing of it would be lost.

A server that does not know a feature of an adapter leaves it out without a word and answers with something between the
base and the tuned model. So whatever any target is known to drop means: merge.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts, DamagedArtifact, write_atomically
from storage.tables import Model
from studio.deploy.artifact import tgi_facts
from studio.deploy.artifact.architectures import TGI_KINDS, support, title
from studio.deploy.artifact.files import Files, StoredFiles, read_json, read_text
from studio.deploy.artifact.safety import tensors
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.port import Place
from studio.errors import Conflict, InvalidInput
from studio.settings import Settings

MERGED, ADAPTER, AUTO = "merged", "adapter", "auto"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
LOW_RANK = (".lora_A.weight", ".lora_B.weight")
DROPPED = {
    "use_dora": "it is a DoRA adapter",
    "rank_pattern": "its rank differs by layer",
    "alpha_pattern": "its scale differs by layer",
    "modules_to_save": "it holds whole layers besides LoRA",
    "target_parameters": "it changes the experts' weights directly",
    "trainable_token_indices": "it changes tokens' embeddings",
    "layer_replication": "it repeats layers",
    "fan_in_fan_out": "its matrices are stored turned round",
}
"""Features of an adapter that servers leave out or misread."""
READ = """
    peft_type task_type r lora_alpha target_modules bias use_rslora init_lora_weights lora_dropout inference_mode
    base_model_name_or_path revision auto_mapping exclude_modules layers_to_transform layers_pattern peft_version
    megatron_core megatron_config eva_config loftq_config corda_config lora_ga_config runtime_config qalora_group_size
    ensure_weight_tying
"""
"""Keys that servers read, or that say nothing any more once the adapter is trained."""
STARTS = ("gaussian", "eva", "orthogonal")
"""Ways to start an adapter that leave its base as it is; PiSSA, OLoRA and others change it too."""
VLLM_LARGEST_RANK = 512


@dataclass(frozen=True)
class Forms:
    """What can be pushed, and why the adapter alone cannot."""

    adapter: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The form a revision is pushed in, and the sentence that says why."""

    form: str
    why: str


def forms(artifacts: Artifacts, model: Model, kind: str = "", place: Place | None = None) -> Forms:
    """Whether the model's adapter can be pushed alone, on a target of this kind if one is named."""
    config = _adapter_config(artifacts, model)
    if not config:
        return Forms(False, ("no adapter was kept with it (every weight was trained, or it came as a whole model)",))
    reasons = [*_features(config), *_contents(artifacts, model, config), *_base(artifacts, model)]
    if kind:
        reasons += _target(artifacts, model, config, kind, place or Place())
    return Forms(not reasons, tuple(reasons))


def chosen_form(
    artifacts: Artifacts, model: Model, kind: str, wanted: str = AUTO, place: Place | None = None
) -> Choice:
    """The form to push: `auto` takes the adapter where it is safe. Raises Conflict where there is no safe form."""
    if wanted not in (MERGED, ADAPTER, AUTO):
        raise InvalidInput(f"A model is pushed merged, adapter or auto, not {wanted!r}.")
    caps = serving_target(kind, place).caps
    if not caps.needs_weights:
        return Choice(ADAPTER if wanted == ADAPTER else MERGED, "Whoever runs that server has put the weights there.")
    if wanted == MERGED and caps.merged:
        return Choice(MERGED, "Merged, as asked: base and adapter are one set of weights.")
    found = forms(artifacts, model, kind, place)
    if found.adapter and wanted != MERGED:
        return Choice(ADAPTER, f"Only the adapter is pushed: {title(kind)} lays it over its base.")
    if not caps.merged:
        raise Conflict(_only_adapters(model, found))
    if wanted == ADAPTER:
        raise Conflict(f"{model.name} cannot be pushed as an adapter: {'; '.join(found.reasons)}. Push it merged.")
    return Choice(MERGED, f"Merged, because {found.reasons[0]}.")


def adapter_of(artifacts: Artifacts, settings: Settings, model: Model) -> Path | None:
    """The adapter's folder on this host, as servers read it; None if the model has none here.

    Only weights and config: a tokenizer beside them would tempt a server to use it, and the path of the base it was
    trained on means nothing elsewhere.
    """
    digest = adapter_digest(model)
    if not artifacts.exists(digest):
        return None
    folder = settings.root / "models" / f"{digest}.adapter"
    if (folder / CONFIG).exists():
        return folder
    try:
        whole = artifacts.checkout(digest, settings.root / "models" / digest)
    except DamagedArtifact as error:
        raise Conflict(str(error)) from error
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(whole / WEIGHTS, folder / f".{WEIGHTS}.part")
    (folder / f".{WEIGHTS}.part").replace(folder / WEIGHTS)
    told = json.loads((whole / CONFIG).read_text()) | {"base_model_name_or_path": None}
    write_atomically(folder / CONFIG, json.dumps(told, indent=2).encode())
    shutil.rmtree(whole, ignore_errors=True)
    return folder


def adapter_digest(model: Model) -> str:
    """The artifact of the adapter that the model was merged from; "" if none was kept."""
    kept = model.facts.get("adapter") or {}
    return str(kept.get("digest") or model.facts.get("adapter_digest") or "")


def base_digest(model: Model) -> str:
    """The artifact of the base that its adapter belongs to; "" if it is not known."""
    return str((model.facts.get("adapter") or {}).get("base") or "")


def _adapter_config(artifacts: Artifacts, model: Model) -> dict[str, Any]:
    digest = adapter_digest(model)
    return read_json(StoredFiles(artifacts, digest), CONFIG) if artifacts.exists(digest) else {}


def _features(config: dict[str, Any]) -> Iterator[str]:
    if str(config.get("peft_type", "LORA")) != "LORA":
        yield f"it is a {config['peft_type']} adapter, not LoRA"
    yield from (why for name, why in DROPPED.items() if config.get(name))
    start = config.get("init_lora_weights", True)
    if isinstance(start, str) and start not in STARTS:
        yield f"it was started with {start[:40]}, which changes the base's weights"
    unknown = [name for name, value in config.items() if value and name not in (*READ.split(), *DROPPED)]
    yield from (f"servers may not know what its {name[:40]} is" for name in unknown)
    if str(config.get("bias", "none")) != "none":
        yield "it changes biases"
    if not (isinstance(config.get("r"), int) and config["r"] > 0):
        yield "its rank is not told"


def _contents(artifacts: Artifacts, model: Model, config: dict[str, Any]) -> Iterator[str]:
    """What its file really holds, whatever its config says."""
    found = _tensors(artifacts, model)
    if not found:
        yield "its weights are missing or not whole"
        return
    strange = [name for name in found if not name.endswith(LOW_RANK)]
    if strange:
        yield f"it holds weights that are not LoRA's ({strange[0][:80]})"
    ranks = {shape[0] for name, shape in found.items() if name.endswith(LOW_RANK[0])}
    if ranks != {config.get("r")}:
        yield f"its matrices have rank {', '.join(map(str, sorted(ranks)))} where its config says {config.get('r')}"
    if {"lm_head", "embed_tokens", "wte", "embed_out"} & _layers(found):
        yield "it changes the vocabulary's layers"


def _base(artifacts: Artifacts, model: Model) -> Iterator[str]:
    """The base must be here, and a server that reads its tokenizer must read the one that was trained with."""
    digest = base_digest(model)
    if not artifacts.exists(digest):
        yield "the base it was trained on is not here"
        return
    base, tuned = StoredFiles(artifacts, digest), StoredFiles(artifacts, model.digest)
    if artifacts.exists(model.digest) and _words(base) != _words(tuned):
        yield "its tokens or its chat template are not its base's"


def _target(artifacts: Artifacts, model: Model, config: dict[str, Any], kind: str, place: Place) -> Iterator[str]:
    if not serving_target(kind, place).caps.adapter:
        yield "this target takes merged weights only"
        return
    model_type = str(read_json(StoredFiles(artifacts, base_digest(model)), "config.json").get("model_type", ""))
    if not support(model_type, kind).adapters:
        yield f"{title(kind)} is not known to lay adapters over {model_type or 'this architecture'}"
    layers = _layers(_tensors(artifacts, model))
    if kind in TGI_KINDS and (dropped := sorted(layers - set(tgi_facts.ADAPTER_LAYERS.split()))):
        yield f"TGI 3.3.7 leaves out what it changes in {', '.join(dropped)}"
    largest = int(place.options.get("max_lora_rank") or VLLM_LARGEST_RANK)
    rank = config.get("r")
    if kind not in TGI_KINDS and isinstance(rank, int) and rank > largest:
        yield f"its rank {rank} is over the {largest} that is allowed there"


def _tensors(artifacts: Artifacts, model: Model) -> dict[str, tuple[int, ...]]:
    try:
        return tensors(StoredFiles(artifacts, adapter_digest(model)))
    except ValueError:
        return {}


def _layers(found: dict[str, tuple[int, ...]]) -> set[str]:
    """Last names of the modules it changes, as q_proj."""
    modules = (name.partition(".lora_")[0] for name in found if ".lora_" in name)
    return {module.rpartition(".")[2] for module in modules}


def _words(files: Files) -> list[Any]:
    """What decides which tokens a conversation becomes."""
    tokenizer, config = read_json(files, "tokenizer.json"), read_json(files, "tokenizer_config.json")
    model = dict(tokenizer.get("model") or {})
    merges = [each if isinstance(each, str) else " ".join(each) for each in model.get("merges") or []]
    added = [(entry.get("id"), entry.get("content")) for entry in tokenizer.get("added_tokens") or []]
    parts = [tokenizer.get(name) for name in ("normalizer", "pre_tokenizer", "post_processor")]
    template = read_text(files, "chat_template.jinja") or config.get("chat_template") or ""
    return [model.get("vocab"), merges, added, *parts, template]


def _only_adapters(model: Model, found: Forms) -> str:
    why = f"{model.name} cannot be one: {'; '.join(found.reasons)}" if found.reasons else "it was asked for merged"
    return f"A vLLM that runs already takes adapters only, and {why}. Serve it on a vLLM container instead."
