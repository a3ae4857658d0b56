"""Run by Unsloth's own Python: load each folder's config.yaml as `unsloth train --config` does.

Its config module alone is loaded: the package's first line looks for a GPU.
"""

import importlib.util
import json
import sys
from pathlib import Path

FOUND = next(Path(entry) for entry in sys.path if (Path(entry) / "unsloth_cli" / "config.py").exists())
SPEC = importlib.util.spec_from_file_location("unsloth_config", FOUND / "unsloth_cli" / "config.py")
CONFIG = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CONFIG)

for folder in sys.argv[1:]:
    try:
        CONFIG.load_config(Path(folder) / "config.yaml")
        print(json.dumps({"folder": folder, "ok": True, "said": ""}))
    except Exception as error:
        print(json.dumps({"folder": folder, "ok": False, "said": str(error)[:400]}))
