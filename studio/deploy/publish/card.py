"""The model card: the Hub's metadata and a page in plain words, written from the lineage and from nothing else.

Form: huggingface.co/docs/hub/model-cards (metadata block, model-index). No captured text goes in: examples of users'
calls stay here.
"""

from __future__ import annotations

from typing import Any

from studio.deploy.publish.lineage import Lineage

METRICS = {"exact_match": "Exact match", "valid_json": "Valid JSON"}
SHOWN_RECIPE = (
    "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps",
    "max_length", "lora_r", "lora_alpha", "lora_target_modules", "use_dora", "use_rslora",
)  # fmt: skip
LICENCES = {
    "apache-2.0",
    "mit",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "gemma",
    "bsd-3-clause",
    "cc0-1.0",
}
"""Identifiers that the Hub knows, of bases on our menu; any other licence is named as `other`."""
NOTICE = "Written by the studio from what it recorded. Correct it where you know better."


def model_card(lineage: Lineage) -> str:
    """README.md as the Hub reads it."""
    parts = [f"---\n{_metadata(lineage)}---", f"# {lineage.name}", _summary(lineage), *_sections(lineage), NOTICE]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(lineage: Lineage) -> str:
    import yaml

    facts: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    facts["tags"] = ["whetstone", *([lineage.method] if lineage.method else [])]
    if lineage.base_hub_id:
        facts["base_model"] = lineage.base_hub_id
    if lineage.base_licence:
        facts |= _licence(lineage.base_licence)
    if lineage.scores:
        facts["model-index"] = [{"name": lineage.name, "results": [_result(lineage)]}]
    text: str = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    return text


def _licence(name: str) -> dict[str, str]:
    known = name.lower()
    return {"license": known} if known in LICENCES else {"license": "other", "license_name": known.replace(" ", "-")}


def _result(lineage: Lineage) -> dict[str, Any]:
    metrics = [
        {"type": name, "name": label, "value": round(float(lineage.scores[name]["mean"]), 4)}
        for name, label in METRICS.items()
        if name in lineage.scores
    ]
    about = {"name": lineage.evaluated_on or "golden set", "type": "golden-set"}
    return {"task": {"type": "text-generation"}, "dataset": about, "metrics": metrics}


def _summary(lineage: Lineage) -> str:
    size = f"{lineage.parameters / 1e6:,.1f} million parameters" if lineage.parameters else "a model"
    base = f", trained from {lineage.base}" if lineage.base else ""
    data = f" on {lineage.dataset} version {lineage.dataset_version}" if lineage.dataset else ""
    return f"{size[0].upper()}{size[1:]}{base}{data}."


def _sections(lineage: Lineage) -> list[str]:
    sections = {
        "What it learned": _listed(lineage.card.get("learned") or []),
        "Scores": _scores(lineage),
        "Data": _data(lineage),
        "Recipe": _recipe(lineage),
        "Licence": _licence_words(lineage),
        "Who approved it": _listed(lineage.approvals) or "It has not had traffic yet.",
        "Weights": f"Artifact `{lineage.digest}`, in the form that transformers 5 and TGI 3.3.7 read alike.",
    }
    return [f"## {title}\n\n{text}" for title, text in sections.items() if text]


def _scores(lineage: Lineage) -> str:
    rows = [
        f"| {label} | {found['mean']:.1%} | {found['low']:.1%} – {found['high']:.1%} | {found['n']} |"
        for name, label in METRICS.items()
        if (found := lineage.scores.get(name))
    ]
    if not rows:
        return "It was not evaluated yet."
    head = (
        f"On the golden examples of {lineage.evaluated_on}.\n\n| Metric | Mean | 95 % interval | n |\n|---|---|---|---|"
    )
    return "\n".join([head, *rows])


def _data(lineage: Lineage) -> str:
    if not lineage.dataset:
        return ""
    golden = f"; {lineage.golden_rows:,} golden examples were kept apart" if lineage.golden_rows else ""
    return (
        f"{lineage.train_rows:,} examples of {lineage.dataset} version {lineage.dataset_version}{golden}. "
        "The examples are not part of this repository."
    )


def _recipe(lineage: Lineage) -> str:
    if not lineage.method:
        return ""
    rows = [f"| {name} | {_cell(lineage.recipe[name])} |" for name in SHOWN_RECIPE if name in lineage.recipe]
    head = f"Method {lineage.method}, seed {lineage.seed}, recipe `{lineage.recipe_digest[:16]}`."
    return "\n".join([head, "", "| Setting | Value |", "|---|---|", *rows]) if rows else head


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _licence_words(lineage: Lineage) -> str:
    if not lineage.base_licence:
        return "The licence of the base is not recorded. Find it out before you pass the model on."
    return f"The base's licence, {lineage.base_licence}, holds for this model too."


def _listed(sentences: Any) -> str:
    return "\n".join(f"- {' '.join(str(sentence).split())}" for sentence in sentences)
