"""What training processes spend their first seconds on. Importing this module loads all of it, on one thread."""

from __future__ import annotations

from importlib import import_module

from studio.train.recipes.process import prepare

RECIPES = ("run", "base", "merge", "generate")
LIBRARIES = (
    "datasets",
    "peft",
    "transformers.models.llama.modeling_llama",
    "transformers.models.qwen2.modeling_qwen2",
    "transformers.models.qwen3.modeling_qwen3",
)


def load() -> None:
    """Import the libraries, the recipes and every trainer; the environment is set before."""
    prepare(offline=False)
    for name in LIBRARIES:
        import_module(name)
    from studio.train.recipes.trainers import TRAINERS

    for name in RECIPES:
        import_module(f"studio.train.recipes.{name}")
    for target in TRAINERS.values():
        import_module(target.partition(":")[0])
    import_module("studio.train.jobs")
    _compile_names()


def _compile_names() -> None:
    """What the first load of any checkpoint spends a quarter of a second on: patterns of renamed weights."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("llama")


load()
