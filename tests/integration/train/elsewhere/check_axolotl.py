"""Run by Axolotl's own Python: validate each folder's config.yml as `axolotl train` does. One JSON line per folder.

Where the base travels along, the first row is made into text and labels too: what would be learned is the answer.
"""

import json
import logging
import os
import sys
import warnings
from importlib import import_module
from pathlib import Path

import yaml

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")

from axolotl.utils.config import validate_config  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402

GPU = {"bf16": True, "tf32": True, "fp8": False, "n_gpu": 1, "n_node": 1, "compute_capability": "sm_90"}


def learned(config):
    """(prompt, what is learned of the first row) as Axolotl's own strategies make them."""
    from transformers import AutoTokenizer

    tokenizer, dataset = AutoTokenizer.from_pretrained("base"), config.datasets[0]
    row = json.loads(Path("data/train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    if not config.rl:
        strategy = import_module("axolotl.prompt_strategies").load(dataset.type, tokenizer, config, dataset)
        made = strategy.tokenize_prompt(row)
        pairs = list(zip(made["input_ids"], made["labels"], strict=True))
        shown, taught = ([token for token, label in pairs if (label == -100) == hidden] for hidden in (True, False))
        return tokenizer.decode(shown), tokenizer.decode(taught)
    kind = config.rl if config.rl in ("kto", "orpo") else "dpo"
    found = import_module(f"axolotl.prompt_strategies.{kind}").load(dataset.type, config, dataset_idx=0)
    transform = found[0] if isinstance(found, tuple) else found
    made = transform(row) if kind == "kto" else transform(row, tokenizer=tokenizer)
    return made["prompt"], made["completion" if kind == "kto" else "chosen"]


for folder in sys.argv[1:]:
    os.chdir(folder)
    config = yaml.safe_load(Path("config.yml").read_text(encoding="utf-8"))
    try:
        found = validate_config(DictDefault(config), capabilities=GPU, env_capabilities={"torch_version": "2.11.0"})
        renamed = [key for key in config if key not in found]
        told = {"folder": folder, "ok": not renamed, "said": f"took away: {renamed}" if renamed else ""}
        if Path("base").is_dir():
            told["prompt"], told["learned"] = learned(DictDefault(config))
        print(json.dumps(told))
    except Exception as error:
        print(json.dumps({"folder": folder, "ok": False, "said": f"{type(error).__name__}: {error}"[:400]}))
