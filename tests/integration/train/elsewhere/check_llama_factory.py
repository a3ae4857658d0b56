"""Run by LLaMA-Factory's own Python: parse each folder's train.yaml, find its datasets, align every row."""

import json
import logging
import os
import sys
import warnings
from pathlib import Path

import yaml

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")

from llamafactory.data.converter import get_dataset_converter  # noqa: E402
from llamafactory.data.parser import get_dataset_list  # noqa: E402
from llamafactory.data.template import TEMPLATES  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402


def rows_kept(arguments):
    """(rows, rows that the converter did not skip) of every dataset."""
    seen = kept = 0
    for attributes in get_dataset_list(arguments.dataset, arguments.dataset_dir):
        convert = get_dataset_converter(attributes.formatting, attributes, arguments)
        for line in Path(arguments.dataset_dir, attributes.dataset_name).read_text(encoding="utf-8").splitlines():
            seen, kept = seen + 1, kept + bool(convert(json.loads(line))["_response"])
    return seen, kept


for folder in sys.argv[1:]:
    os.chdir(folder)
    config = yaml.safe_load(Path("train.yaml").read_text(encoding="utf-8")) | {"bf16": False, "use_cpu": True}
    try:
        _model, data, _training, _tuning, _generating = get_train_args(config)
        seen, kept = rows_kept(data)
        known = data.template is None or data.template in TEMPLATES
        print(json.dumps({"folder": folder, "ok": known and seen == kept > 0, "said": f"{kept} of {seen} rows"}))
    except Exception as error:
        print(json.dumps({"folder": folder, "ok": False, "said": f"{type(error).__name__}: {error}"[:400]}))
