"""What this environment's transformers makes of model folders: `python load.py FOLDER...`, one JSON line each.

Each folder has a sibling `logits.npy` (what transformers 5 answered) and `prompts.npy` (to which prompts), and maybe
`adapter`, a LoRA adapter with which it answered `adapted.npy`. Run by the
Python of an environment with transformers 4.51.3, where nothing of the studio is importable.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

TEXT = "Hello <|user|> world, 42 é"
MESSAGES = [{"role": "user", "content": "Hello"}]


def told(folder: Path) -> dict[str, Any]:
    """How its logits compare, and what its tokenizer makes of a text; for each the reason if it does not load."""
    found = {"folder": str(folder), "model": attempt(logits, folder), "tokenizer": attempt(words, folder)}
    return found | ({"adapter": attempt(adapted, folder)} if (folder.parent / "adapter").exists() else {})


def attempt(look: Callable[[Path], dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What was seen, or {"error"}."""
    try:
        return look(folder)
    except Exception as error:  # what an older library raises on a newer file may be anything
        return {"error": f"{type(error).__name__}: {error}"[:300]}


def logits(folder: Path) -> dict[str, Any]:
    """How far the answers to the prompts are from those of transformers 5."""
    config = json.loads((folder / "config.json").read_text())
    # Its default attention leaves soft caps (Gemma 2) out, as it warns; the plain one has them, as has TGI.
    plain: dict[str, Any] = {"torch_dtype": torch.float32}
    plain |= {"attn_implementation": "eager"} if config.get("attn_logit_softcapping") else {}
    model = AutoModelForCausalLM.from_pretrained(folder, **plain).eval()
    return compared(model, folder, "logits.npy")


def adapted(folder: Path) -> dict[str, Any]:
    """The same with the adapter laid over it."""
    from peft import PeftModel

    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32)
    return compared(PeftModel.from_pretrained(model, folder.parent / "adapter").eval(), folder, "adapted.npy")


def compared(model: Any, folder: Path, name: str) -> dict[str, Any]:
    """The largest difference of a logit, and the share of most likely tokens that are the same."""
    wanted = torch.from_numpy(numpy.load(folder.parent / name))
    with torch.no_grad():
        found = model(torch.from_numpy(numpy.load(folder.parent / "prompts.npy"))).logits
    same = (found.argmax(-1) == wanted.argmax(-1)).float().mean().item()
    return {"delta": (found - wanted).abs().max().item(), "spread": wanted.std().item(), "agreement": same}


def words(folder: Path) -> dict[str, Any]:
    """What the tokenizer makes of a text and of a conversation, and where generation ends."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rendered = tokenizer.apply_chat_template(MESSAGES, tokenize=False) if tokenizer.chat_template else None
    inline = json.loads((folder / "tokenizer_config.json").read_text()).get("chat_template")
    return {
        "tokens": tokenizer(TEXT)["input_ids"],
        "rendered": rendered,
        "inline_template": bool(inline),
        "ends": GenerationConfig.from_pretrained(folder).eos_token_id,
        "specials": sorted(tokenizer.all_special_tokens),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps({"transformers": transformers.__version__, "torch": torch.__version__}))
    for argument in sys.argv[1:]:
        print(json.dumps(told(Path(argument))), flush=True)
