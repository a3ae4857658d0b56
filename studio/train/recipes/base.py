"""Build a tiny base model from plain documents: a tokenizer and a small Qwen3, pre-trained in a bare torch loop.

About 20 seconds on two cores for 6,000 short documents. Documents may hold chat markup (`<|im_start|>`...): markup
that pre-training never saw cannot be learned by LoRA later, because its embeddings stay frozen.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

END_OF_TEXT, START, END, PAD = SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
SPLIT = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE = (
    "{%- if tools %}{{- '<|im_start|>system\n' }}"
    "{%- if messages[0].role == 'system' %}{{- messages[0].content + '\n' }}{%- endif %}"
    "{{- 'Tools:\n' }}{%- for tool in tools %}{{- tool | tojson + '\n' }}{%- endfor %}{{- '<|im_end|>\n' }}{%- endif %}"
    "{%- for m in messages %}{%- if m.role == 'assistant' %}{{- '<|im_start|>assistant\n' }}"
    "{%- generation %}{%- if m.content %}{{- m.content }}{%- endif %}"
    "{%- for call in m.tool_calls or [] %}{{- '<tool_call>' + call.function | tojson + '</tool_call>' }}{%- endfor %}"
    "{{- '<|im_end|>' }}{%- endgeneration %}{{- '\n' }}"
    "{%- elif not (tools and loop.first and m.role == 'system') %}"
    "{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)
"""ChatML; tools are listed in the system message, and calls are JSON between <tool_call> and </tool_call>."""
Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Shape:
    """Size of the model and length of its schooling. The defaults were measured best for about 20 seconds."""

    vocabulary: int = 1024
    hidden: int = 96
    layers: int = 3
    heads: int = 4
    kv_heads: int = 2
    context: int = 1024
    steps: int = 300
    batch: int = 8
    block: int = 128
    learning_rate: float = 6e-3


def build(
    documents: Path,
    out: Path,
    *,
    shape: Shape | None = None,
    seed: int = 0,
    report: Report = lambda _done, _text: None,
    leave_if_asked: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Make a base model in `out` from a JSONL file of {"text"} rows and return its facts."""
    shape = shape or Shape()
    texts = [json.loads(line)["text"] for line in documents.read_text(encoding="utf-8").splitlines() if line.strip()]
    report(0.02, "Learning the vocabulary")
    tokenizer = learn_tokenizer(texts, shape)
    torch.manual_seed(seed)
    model = new_model(tokenizer, shape)
    blocks = _blocks(tokenizer, texts, shape, seed)
    losses = _pretrain(model, blocks, shape, seed, report, leave_if_asked)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return {
        "architecture": "qwen3",
        "shape": asdict(shape),
        "seed": seed,
        "documents": len(texts),
        "tokens": shape.steps * shape.batch * shape.block,
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "first_loss": losses[0],
        "loss": losses[-1],
    }


def learn_tokenizer(texts: list[str], shape: Shape) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the ChatML template, learned from the texts without their markup."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    markup = re.compile("|".join(map(re.escape, SPECIAL)))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=shape.vocabulary, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((part for text in texts for part in markup.split(text) if part), trainer)
    return _dressed(tokenizer, shape)


def _dressed(tokenizer: Tokenizer, shape: Shape) -> PreTrainedTokenizerFast:
    dressed = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=None,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START, END_OF_TEXT],
        model_max_length=shape.context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    dressed.chat_template = CHAT_TEMPLATE
    return dressed


def new_model(tokenizer: PreTrainedTokenizerFast, shape: Shape) -> Qwen3ForCausalLM:
    """A Qwen3 with fresh weights; QK-norm is what keeps so small a model stable at high learning rates."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.hidden // shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        initializer_range=0.06,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT)]
    return model


def _blocks(tokenizer: PreTrainedTokenizerFast, texts: list[str], shape: Shape, seed: int) -> torch.Tensor:
    """All documents as one stream of tokens, cut into equal blocks."""
    shuffled = random.Random(seed).sample(texts, len(texts))
    end = tokenizer.convert_tokens_to_ids(END_OF_TEXT)
    stream = [token for coded in tokenizer._tokenizer.encode_batch(shuffled) for token in (*coded.ids, end)]
    usable = len(stream) // shape.block * shape.block
    if usable < shape.batch * shape.block:
        raise ValueError(f"{len(texts)} documents make {len(stream)} tokens; more text is needed to build a model.")
    return torch.tensor(stream[:usable]).view(-1, shape.block)


def _pretrain(
    model: Qwen3ForCausalLM,
    blocks: torch.Tensor,
    shape: Shape,
    seed: int,
    report: Report,
    leave_if_asked: Callable[[], None],
) -> list[float]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=shape.learning_rate, betas=(0.9, 0.95), weight_decay=0.05)
    batches, losses = _batches(blocks, shape, seed), []
    model.train()
    for step in range(shape.steps):
        for group in optimizer.param_groups:
            group["lr"] = shape.learning_rate * min(1, (step + 1) / 20) * max(0.05, 1 - step / shape.steps)
        batch = next(batches)
        loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(round(loss.item(), 4))
        if step % 10 == 0:
            leave_if_asked()
            report(0.05 + 0.9 * step / shape.steps, f"Reading: step {step} of {shape.steps}, loss {losses[-1]:.2f}")
    return losses


def _batches(blocks: torch.Tensor, shape: Shape, seed: int) -> Any:
    """Endless shuffled batches."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(len(blocks), generator=generator)
        for start in range(0, len(order) - shape.batch + 1, shape.batch):
            yield blocks[order[start : start + shape.batch]]
