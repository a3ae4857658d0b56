"""Training beside TRL and LLaMA-Factory: the same rows, tokens, model and passes, in turns on one machine.

Long-tailed chats, two thirds prompt. 1,600 rows and one round; the published figures use `STUDIO_BENCH_ROUNDS=3`, and
`STUDIO_BENCH_SIZE=small` for a model ten times as big. The processor seconds tell most on a machine that is busy.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.train import recipe
from studio.train.recipes.process import prepare
from tests.benchmarks.training_modes import MODES, SIZE, lay_out

ROUNDS = int(os.environ.get("STUDIO_BENCH_ROUNDS", "1"))
OTHERS = {"LLaMA-Factory, defaults": False, "LLaMA-Factory, tuned": True}
Figures = dict[str, float]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    lay_out(folder)
    return folder


@pytest.fixture(scope="module")
def their_python() -> Path | None:
    """LLaMA-Factory's environment, or None where it cannot be installed."""
    prepare()
    from tests.benchmarks import llamafactory

    try:
        return llamafactory.environment()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"LLaMA-Factory is left out: {error}")
        return None


def test_tokens_per_second_job_seconds_and_memory(laid_out: Path, their_python: Path | None, tmp_path: Path) -> None:
    modes = [*MODES, *(OTHERS if their_python else ())]
    found: dict[str, list[Figures]] = {mode: [] for mode in modes}
    for turn in range(ROUNDS):
        for mode in random.Random(turn).sample(modes, len(modes)):
            folder = tmp_path / f"{turn}-{mode.replace(', ', '-')}"
            shutil.copytree(laid_out, folder)
            found[mode].append(carry_out(mode, folder, their_python))
            print(f"{mode:24s} {found[mode][-1]} (load {os.getloadavg()[0]:.1f})", flush=True)
    middle = {mode: _middle(figures) for mode, figures in found.items()}
    tell(middle)
    same_work(middle)


def carry_out(mode: str, folder: Path, their_python: Path | None) -> Figures:
    """One run in a process of its own: what it says, how long the whole process took, how wrong its model is."""
    if mode in OTHERS and their_python:
        figures = _theirs(folder, their_python, tuned=OTHERS[mode])
    else:
        figures = _ours(mode, folder)
    return figures | {"held_out": held_out_loss(folder)}


def _ours(mode: str, folder: Path) -> Figures:
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.training_modes", mode, str(folder)]
    started = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
    ) as run:
        if mode.endswith("warm"):
            assert run.stdout and run.stdin and run.stdout.readline() == "warm\n"
            started = time.monotonic()
            run.stdin.write("go\n")
        out, complaints = run.communicate()
    job = time.monotonic() - started
    assert run.returncode == 0, complaints[-2000:]
    told: Figures = json.loads(out.splitlines()[-1])
    return told | {"job": job}


def _theirs(folder: Path, python: Path, *, tuned: bool) -> Figures:
    from tests.benchmarks import llamafactory

    command = llamafactory.command(python, folder, tuned)
    env = os.environ | {"USE_MODELSCOPE_HUB": "0", "DISABLE_VERSION_CHECK": "1"}
    started = time.monotonic()
    with (folder / "log.txt").open("wb") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=folder)
        _pid, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    job = time.monotonic() - started
    assert run.returncode == 0, (folder / "log.txt").read_text()[-2000:]
    return llamafactory.told(folder) | {
        "job": job,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory_mb": usage.ru_maxrss // 1024,
    }


def held_out_loss(folder: Path) -> float:
    """Mean loss per answer token of the trained model on rows that no mode saw."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (kind.from_pretrained(folder / recipe.MERGED) for kind in (AutoModelForCausalLM, AutoTokenizer))
    total, count = 0.0, 0
    for line in (folder / recipe.DATA / "held-out.jsonl").read_text().splitlines():
        row = json.loads(line)
        asked = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], return_dict=False)
        labels = torch.tensor([[-100] * len(asked) + whole[len(asked) :]])
        with torch.inference_mode():
            loss = model(input_ids=torch.tensor([whole]), labels=labels).loss
        total, count = total + loss.item() * (len(whole) - len(asked)), count + len(whole) - len(asked)
    return total / count


def _middle(figures: list[Figures]) -> Figures:
    return {name: statistics.median(each[name] for each in figures) for name in figures[0]}


def tell(middle: dict[str, Figures]) -> None:
    """One line per mode, with what it is beside ours."""
    cores = len(os.sched_getaffinity(0))
    print(f"\n{SIZE} model, {cores} cores, {ROUNDS} rounds, load {os.getloadavg()[0]:.1f}")
    ours, warm = middle["ours"], middle["ours, warm"]
    for mode, of in middle.items():
        slower, later = of["seconds"] / ours["seconds"], of["job"] / warm["job"]
        print(
            f"{mode:24s} {of['tokens'] / of['seconds']:7.0f} tokens/s, {of['seconds']:6.1f} s = {slower:.2f} x ours, "
            f"job {of['job']:6.1f} s = {later:.2f} x ours warm, {of['cpu']:.1f} s of CPU, {of['memory_mb']:.0f} MB, "
            f"loss {of['held_out']:.3f}"
        )


def same_work(middle: dict[str, Figures]) -> None:
    """Every mode learned from the same tokens; ours as much from them as TRL's random batches, which it shares."""
    tokens = [of["tokens"] for of in middle.values()]
    assert max(tokens) - min(tokens) <= 0.01 * max(tokens), middle
    assert middle["ours"]["tokens"] == middle["TRL, defaults"]["tokens"], middle
    assert middle["ours"]["held_out"] == pytest.approx(middle["ours, warm"]["held_out"], rel=1e-3), middle
    assert middle["ours"]["held_out"] < 1.03 * middle["TRL, defaults"]["held_out"], middle
    assert middle["ours"]["held_out"] < 1.01 * middle["TRL, tuned"]["held_out"], middle
