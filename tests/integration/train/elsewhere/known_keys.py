"""Run by a tool's own Python: print every key that its parser knows. usage: known_keys.py axolotl|llama-factory|unsloth

The answers are kept in tests/unit/train/takeaway/known/, so that the keys of bundles are checked on every run.
"""

import dataclasses
import json
import logging
import sys
from importlib.metadata import version

logging.disable(logging.CRITICAL)


def axolotl():
    from axolotl.utils.schemas import datasets
    from axolotl.utils.schemas.config import AxolotlInputConfig

    kinds = {"sft": datasets.SFTDataset, "dpo": datasets.DPODataset, "kto": datasets.KTODataset}
    rows = {kind: sorted(found.model_fields) for kind, found in kinds.items()}
    return {"version": version("axolotl"), "keys": sorted(AxolotlInputConfig.model_fields), "datasets": rows}


def llama_factory():
    from llamafactory.data.parser import DatasetAttr
    from llamafactory.data.template import TEMPLATES
    from llamafactory.extras.constants import DEFAULT_TEMPLATE, SUPPORTED_MODELS
    from llamafactory.hparams import parser

    keys = {field.name for kind in parser._TRAIN_ARGS for field in dataclasses.fields(kind)}
    hub = {name: next(iter(SUPPORTED_MODELS[name].values())) for name in DEFAULT_TEMPLATE}
    chosen = {hub[name]: template for name, template in sorted(DEFAULT_TEMPLATE.items())}
    return {
        "version": version("llamafactory"),
        "keys": sorted(keys),
        "dataset": sorted(field.name for field in dataclasses.fields(DatasetAttr)),
        "templates": sorted(TEMPLATES),
        "template_of": chosen,
    }


def unsloth():
    sys.argv = sys.argv[:1]
    from check_unsloth import CONFIG

    sections = {
        "": CONFIG.Config,
        "data": CONFIG.DataConfig,
        "training": CONFIG.TrainingConfig,
        "lora": CONFIG.LoraConfig,
    }
    keys = {name: sorted(kind.model_fields) for name, kind in sections.items()}
    return {"version": version("unsloth"), "keys": keys}


print(json.dumps({"axolotl": axolotl, "llama-factory": llama_factory, "unsloth": unsloth}[sys.argv[1]](), indent=1))
