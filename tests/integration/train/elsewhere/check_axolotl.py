"""Run by Axolotl's own Python: validate each folder's config.yml as `axolotl train` does. One JSON line per folder."""

import json
import logging
import os
import sys
import warnings
from pathlib import Path

import yaml

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")

from axolotl.utils.config import validate_config  # noqa: E402
from axolotl.utils.dict import DictDefault  # noqa: E402

GPU = {"bf16": True, "tf32": True, "fp8": False, "n_gpu": 1, "n_node": 1, "compute_capability": "sm_90"}

for folder in sys.argv[1:]:
    os.chdir(folder)
    config = yaml.safe_load(Path("config.yml").read_text(encoding="utf-8"))
    try:
        found = validate_config(DictDefault(config), capabilities=GPU, env_capabilities={"torch_version": "2.11.0"})
        renamed = [key for key in config if key not in found]
        print(json.dumps({"folder": folder, "ok": not renamed, "said": f"took away: {renamed}" if renamed else ""}))
    except Exception as error:
        print(json.dumps({"folder": folder, "ok": False, "said": str(error)[:400]}))
