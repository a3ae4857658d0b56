"""Real, tiny models of every architecture: the portable form answers bit for bit like the original, here and in TGI's
transformers 4.51.3 (`STUDIO_TEST_TRANSFORMERS_4=1`: its environment is made in the cache folder, about 1 GB).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.deploy.artifact import Forms, adapter_of, forms, support
from studio.deploy.artifact.tgi_facts import TRANSFORMERS
from studio.settings import Settings
from studio.train.portable import make_portable
from studio.train.v4_config import lost_in_v4
from tests.fakes.tiny_architectures import ARCHITECTURES, build, prompts

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
LOADER = Path(__file__).parent / "transformers_4" / "load.py"
OPT_IN = pytest.mark.skipif(not os.environ.get("STUDIO_TEST_TRANSFORMERS_4"), reason="set STUDIO_TEST_TRANSFORMERS_4=1")
PACKAGES = (
    f"transformers=={TRANSFORMERS}",
    *("tokenizers==0.21.1", "peft==0.15.2", "torch<=2.13.0", "numpy", "safetensors", "jinja2"),
)
ADAPTED = "llama-3"
TEXT, MESSAGES = "Hello <|user|> world, 42 é", [{"role": "user", "content": "Hello"}]
# What each run of `make test` looks at; the others differ from one of these in nothing the portable form touches.
ALWAYS = ("llama-3", "qwen3", "gemma3", "phi3-long", "gpt2", "mixtral", "qwen3_moe", "gpt_neox", "cohere2")
LATER = ("olmo3", "smollm3")
"""Architectures that came after transformers 4.51."""
UNTELLABLE = ("qwen2-sliding",)
SILENT = ("llama-3", "qwen2", "qwen3", "gemma3", "granite", "mixtral", "phi3")
"""Some whose files, as transformers 5 saves them, load in 4.51 without an error and answer differently."""
Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A folder with a model as transformers 5 saves it (`raw`) and in the portable form, each made once."""
    root = tmp_path_factory.mktemp("architectures")
    logging.disable_progress_bar()

    def make(name: str) -> Path:
        folder = root / name
        if not folder.exists():
            build(name, folder / "raw")
            shutil.copytree(folder / "raw", folder / "portable")
            make_portable(folder / "portable")
        return folder

    yield make
    logging.enable_progress_bar()
    shutil.rmtree(root, ignore_errors=True)


def answers(folder: Path) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.tensor(prompts())).logits


def same_words(left: Path, right: Path) -> bool:
    one, other = (AutoTokenizer.from_pretrained(folder) for folder in (left, right))
    rendered = [each.apply_chat_template(MESSAGES, tokenize=False) for each in (one, other)]
    return one(TEXT)["input_ids"] == other(TEXT)["input_ids"] and rendered[0] == rendered[1]


@pytest.mark.parametrize("name", ALWAYS)
def test_the_portable_form_answers_bit_for_bit_like_the_original(made: Made, name: str) -> None:
    folder = made(name)
    wanted = answers(folder / "raw")
    assert torch.equal(wanted, answers(folder / "portable"))
    assert wanted.argmax(-1).unique().numel() > 20, "a model that always says the same would prove nothing"


def test_the_portable_form_makes_the_same_tokens_of_a_conversation(made: Made) -> None:
    assert same_words(made("qwen3") / "raw", made("qwen3") / "portable")


def test_a_rotary_base_that_is_dropped_shows_in_these_models(made: Made, tmp_path: Path) -> None:
    broken = shutil.copytree(made("qwen3") / "portable", tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    del config["rope_theta"]
    (broken / "config.json").write_text(json.dumps(config | {"rope_scaling": None}))
    wanted, found = answers(made("qwen3") / "portable"), answers(broken)
    assert (wanted - found).abs().max() > 0.1 and not torch.equal(wanted.argmax(-1), found.argmax(-1))


@pytest.fixture(scope="module")
def python_4() -> Path:
    """The Python of an environment with TGI's transformers, made on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("STUDIO_TRANSFORMERS_4") or cache / "whetstone" / f"transformers-{TRANSFORMERS}")
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.exists() or done.read_text() != " ".join(PACKAGES):
        uv = str(Path(sys.executable).parent / "uv")
        links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS") or ""
        environment = os.environ | ({"UV_FIND_LINKS": links} if links else {})
        for command in (
            [uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "-q", "--python", str(python), *PACKAGES],
        ):
            subprocess.run(command, check=True, env=environment, cwd=ROOT)
        done.write_text(" ".join(PACKAGES))
    return python


@OPT_IN
def test_every_architecture_answers_alike_in_the_transformers_that_tgi_is_made_with(
    made: Made, python_4: Path, artifacts: Artifacts, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ARCHITECTURES:
        wanted = answers(made(name) / "raw")
        assert torch.equal(wanted, answers(made(name) / "portable")), name
        numpy.save(made(name) / "prompts.npy", numpy.array(prompts()))
        numpy.save(made(name) / "logits.npy", wanted.numpy())
    numpy.save(made(ADAPTED) / "adapted.npy", adapt(made(ADAPTED), artifacts, settings).numpy())
    versions, found = seen_by(python_4, [made(name) / form for name in ARCHITECTURES for form in ("portable", "raw")])
    with capsys.disabled():
        print(table(versions, found))
    for name in ARCHITECTURES:
        judge(name, made(name), found[f"{name}/portable"])
    adapter = found[f"{ADAPTED}/portable"]["adapter"]
    assert adapter.get("agreement") == 1.0 and adapter["delta"] <= 1e-4, adapter
    for name in SILENT:
        model, tokenizer = (found[f"{name}/raw"][part] for part in ("model", "tokenizer"))
        assert model["delta"] > 0.1 and model["agreement"] < 1, f"{name}: this comparison could not fail"
        assert "TokenizersBackend" in tokenizer["error"]


def adapt(folder: Path, artifacts: Artifacts, settings: Settings) -> Any:
    """What the portable model answers with an adapter, laid out as a server gets it, over it."""
    model = AutoModelForCausalLM.from_pretrained(folder / "portable", dtype=torch.float32)
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", use_rslora=True))
    torch.manual_seed(0)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    tuned.save_pretrained(folder / "trained")
    base = artifacts.save_folder(folder / "portable")
    facts = {"adapter": {"digest": artifacts.save_folder(folder / "trained"), "base": base}}
    registered = Model(project_id="p", name="tuned", kind="tuned", digest=base, facts=facts)
    assert forms(artifacts, registered, "tgi") == Forms(True)
    shutil.copytree(str(adapter_of(artifacts, settings, registered)), folder / "adapter")
    with torch.no_grad():
        answered = tuned.eval()(torch.tensor(prompts())).logits
    assert (answered - answers(folder / "portable")).abs().max() > 1, "the adapter changes nothing"
    return answered


def judge(name: str, folder: Path, seen: dict[str, Any]) -> None:
    kind = ARCHITECTURES[name][0]
    lost = lost_in_v4(json.loads((folder / "portable" / "config.json").read_text()))
    if name in LATER:
        assert "error" in seen["model"] and support(kind, "tgi").serves == "no"
        return
    if name in UNTELLABLE:
        assert lost and seen["model"]["agreement"] < 1, "preflight would block what works"
        return
    assert lost == [], name
    assert seen["model"].get("agreement") == 1.0 and seen["model"]["delta"] <= 1e-4, (name, seen)
    tokenizer = AutoTokenizer.from_pretrained(folder / "portable")
    words = seen["tokenizer"]
    assert words["tokens"] == tokenizer(TEXT)["input_ids"], name
    assert words["rendered"] == tokenizer.apply_chat_template(MESSAGES, tokenize=False), name
    assert words["ends"] == [1] and words["inline_template"] and words["specials"], name


def seen_by(python: Path, folders: list[Path]) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    command = [str(python), "-W", "ignore", str(LOADER), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=LOADER.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    first, *lines = map(json.loads, done.stdout.splitlines())
    return first, {"/".join(Path(line["folder"]).parts[-2:]): line for line in lines}


def table(versions: dict[str, str], found: dict[str, dict[str, Any]]) -> str:
    """The results as docs/guides/deploy.md shows them."""
    lines = [f"\ntransformers {versions['transformers']}, torch {versions['torch']}"]
    lines[0] += f"; transformers 5: {transformers.__version__}"
    heads = (
        "architecture",
        "portable, transformers 5",
        "portable, 4.51.3: max Δlogit",
        "same argmax",
        "not portable, 4.51.3",
    )
    lines += [f"| {' | '.join(heads)} |", "|---|---|---|---|---|"]
    for name in ARCHITECTURES:
        portable, raw = (found[f"{name}/{form}"]["model"] for form in ("portable", "raw"))
        lines.append(
            f"| {name} | bit-equal | {shown(portable, 'delta')} | {shown(portable, 'agreement')} | {both(raw)} |"
        )
    return "\n".join(lines)


def shown(seen: dict[str, Any], what: str) -> str:
    if "error" in seen:
        return "does not load"
    return f"{seen[what]:.2g}" if what == "delta" else f"{100 * seen[what]:.0f} %"


def both(seen: dict[str, Any]) -> str:
    return "does not load" if "error" in seen else f"{shown(seen, 'delta')}, {shown(seen, 'agreement')}"
