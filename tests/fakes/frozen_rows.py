"""A frozen version and a tiny base, real but made without torch: rows, a tokenizer, a config."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, DatasetVersion
from studio.curate.snapshot import Row, write_rows

TINY_CONFIG = {
    "model_type": "qwen3",
    "vocab_size": 1024,
    "hidden_size": 96,
    "intermediate_size": 288,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,
    "tie_word_embeddings": True,
    "max_position_embeddings": 1024,
}


def make_row(text: str, output: str = "yes", split: str = "train", **more: object) -> Row:
    """A row whose prompt is `text`."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    values: dict[str, object] = {
        "messages": [{"role": "user", "content": text}],
        "tools": [],
        "verified": split == "golden",
        "output_source": "model",
    }
    return Row(example_id=f"{digest[:12]}{output[:4]}", output=output, split=split, prompt_hash=digest, **values | more)


def freeze_rows(
    database: Database,
    artifacts: Artifacts,
    project_id: str,
    train: list[Row],
    golden: list[Row],
    name: str = "tickets",
) -> DatasetVersion:
    """Freeze these rows as version 1 of a new dataset."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_rows(folder / "train.parquet", train)
        write_rows(folder / "golden.parquet", golden)
        digest = artifacts.save_folder(folder)
    counts = {"train_rows": len(train), "golden_rows": len(golden)}
    with database.write() as session:
        dataset = Dataset(project_id=project_id, name=name)
        session.add(dataset)
        session.flush()
        version = DatasetVersion(dataset_id=dataset.id, number=1, digest=digest, **counts)
        session.add(version)
    return version


def base_files(artifacts: Artifacts) -> str:
    """The digest of a base model's files, weights aside."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "config.json").write_text(json.dumps(TINY_CONFIG))
        template = {"chat_template": "{% generation %}{% endgeneration %}"}
        (folder / "tokenizer_config.json").write_text(json.dumps(template))
        return artifacts.save_folder(folder)
