"""Rows ready for TRL's SFTTrainer: token for token what its own preparation makes, all at once, and kept on disk.

TRL tokenises row by row, twice each, and passes over the rows five times. A resumed or retried run finds its rows here.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import pyarrow as pa
from datasets import Dataset
from trl.data_utils import common_prefix_length

from storage.artifacts import write_atomically
from studio.errors import InvalidInput
from studio.train import recipe as recipes
from studio.train.recipes.setup import Rows, Setup

AT_ONCE = 1000
IGNORED = -100
COLUMNS = ["input_ids", "labels"]
LIBRARIES = ("trl", "transformers", "tokenizers")
SPECIAL = ("assistant_only_loss", "chat_template_path", "eos_token", "pad_token", "shuffle_dataset", "dataset_kwargs")
"""Settings with which TRL prepares rows in ways of its own."""
READ_BY_TOKENIZERS = (".json", ".jinja", ".txt", ".model")
log = logging.getLogger(__name__)


def data_of(setup: Setup, tokenizer: Any) -> dict[str, Any] | None:
    """The run's rows as SFTTrainer takes them, tokenised; None where TRL has to prepare them itself."""
    args = setup.training
    rows = {name: setup.rows(name) for name in (recipes.TRAIN, recipes.EVAL)}
    plain = all(is_plain(row) for some in rows.values() for row in some)
    if not plain or any(getattr(args, name, None) for name in SPECIAL):
        return None
    watched_packed = args.packing if args.eval_packing is None else args.eval_packing
    whole = {recipes.TRAIN: args.packing, recipes.EVAL: watched_packed}
    if not rows[recipes.TRAIN]:
        raise InvalidInput("There is no row to train on. Add examples on Curate and freeze a new version.")
    with args.main_process_first(desc="preparing the rows"):
        found = {name: _prepared(setup, tokenizer, name, rows[name], whole[name]) for name in rows if rows[name]}
    if not len(found[recipes.TRAIN]):
        raise InvalidInput(
            f"Every row is longer than {args.max_length} tokens before its answer begins, so nothing is left to learn. "
            "Raise the longest row under Advanced, or shorten the prompts."
        )
    return {"train_dataset": found[recipes.TRAIN], "eval_dataset": found.get(recipes.EVAL)}


def is_plain(row: dict[str, Any]) -> bool:
    """Whether a row is texts only, said by roles: no tools, no calls, nothing a template might read besides."""
    if row.keys() != {"prompt", "completion"}:
        return False
    return all(
        isinstance(part, list) and part and all(each.keys() == {"role", "content"} and _is_text(each) for each in part)
        for part in row.values()
    )


def is_ready(dataset: Any) -> bool:
    """Whether a data set holds nothing but prepared rows."""
    return bool(dataset.column_names == COLUMNS)


def ready(rows: Rows, tokenizer: Any, args: Any, whole: bool = False) -> pa.Table:
    """Plain rows as TRL prepares them for these settings. `whole` rows are cut later, when they are packed."""
    ids: list[list[int]] = []
    labels: list[list[int]] = []
    diverging = 0
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        asked = _tokens(tokenizer, [row["prompt"] for row in some], add_generation_prompt=True)
        said = _tokens(tokenizer, [[*row["prompt"], *row["completion"]] for row in some])
        for prompt, text in zip(asked, said, strict=True):
            known = len(prompt) if text[: len(prompt)] == prompt else common_prefix_length(prompt, text)
            diverging += known < len(prompt)
            known = 0 if args.completion_only_loss is False else known
            ids.append(text)
            labels.append([IGNORED] * known + text[known:])
    if diverging:
        log.warning("The template renders %d prompts differently before an answer than alone.", diverging)
    return _table(*(ids, labels) if whole or args.max_length is None else _cut(ids, labels, args))


def _prepared(setup: Setup, tokenizer: Any, name: str, rows: Rows, whole: bool) -> Dataset:
    path = setup.folder / recipes.PREPARED / f"{name}-{_key(setup, name, whole)}.arrow"
    with suppress(OSError, pa.ArrowInvalid):  # not there yet, or harmed: made anew
        return Dataset.from_file(str(path))
    for outdated in path.parent.glob(f"{name}-*.arrow"):
        outdated.unlink(missing_ok=True)
    table, stream = ready(rows, tokenizer, setup.training, whole), pa.BufferOutputStream()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=AT_ONCE)
    write_atomically(path, stream.getvalue())
    return Dataset.from_file(str(path))


def _key(setup: Setup, name: str, whole: bool) -> str:
    """Equal for equal rows, tokenizer, template, limits and library versions."""
    args = setup.training
    read = [setup.folder / recipes.DATA / name]
    read += sorted(path for path in setup.base.iterdir() if path.suffix in READ_BY_TOKENIZERS)
    sums = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in read]
    limits = [args.max_length, args.truncation_mode, args.completion_only_loss, whole]
    facts = [sums, limits, [version(library) for library in LIBRARIES]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _tokens(tokenizer: Any, talks: list[Any], **how: Any) -> list[list[int]]:
    found = tokenizer.apply_chat_template(
        talks, tokenize=True, return_dict=True, tokenizer_kwargs={"return_attention_mask": False}, **how
    )
    ids: list[list[int]] = found["input_ids"]
    return ids


def _cut(ids: list[list[int]], labels: list[list[int]], args: Any) -> tuple[list[list[int]], list[list[int]]]:
    """The part of each row that is read; rows of which nothing is left to learn are dropped, as TRL does."""
    kept = slice(None, args.max_length) if args.truncation_mode == "keep_start" else slice(-args.max_length, None)
    pairs = ((text[kept], learned[kept]) for text, learned in zip(ids, labels, strict=True))
    left = [(text, learned) for text, learned in pairs if any(each != IGNORED for each in learned)]
    return [text for text, _ in left], [learned for _, learned in left]


def _table(ids: list[list[int]], labels: list[list[int]]) -> pa.Table:
    return pa.table([pa.array(ids, pa.list_(pa.int32())), pa.array(labels, pa.list_(pa.int64()))], COLUMNS)


def _is_text(message: dict[str, Any]) -> bool:
    return isinstance(message["role"], str) and isinstance(message["content"], str)
