from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StorageFull
from studio.train import recipe
from studio.train.events import series, tail
from studio.train.failures import symptoms
from studio.train.failures.errors import Diverged, OutOfMemory
from studio.train.recipes.checkpoints import step_of
from tests.fakes.training_folder import change_studio, write_rows
from tests.fakes.training_process import start
from tests.full_proof import once_more, times
from tests.integration.train.conftest import STEPS, conversation

pytestmark = pytest.mark.slow
Whole = tuple[Path, dict[str, Any]]
LayOut = Callable[..., Path]
KILLS = int(os.environ.get("STUDIO_KILLS", times(3, 30)))
WEIGHTS = Path(recipe.ADAPTER) / "adapter_model.safetensors"


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in tail(folder / recipe.EVENTS)[0] if event["kind"] == kind]


def losses(folder: Path) -> list[tuple[int, float]]:
    return series(tail(folder / recipe.EVENTS)[0], "loss")


def choices(folder: Path) -> list[tuple[int, float]]:
    return series(tail(folder / recipe.EVENTS)[0], "eval_choice")


class StopAt:
    """Asks to stop when the n-th event of a kind was told, and not again."""

    def __init__(self, folder: Path, kind: str, count: int) -> None:
        self.folder, self.kind, self.count = folder, kind, count

    def __call__(self) -> bool:
        return len(events(self.folder, self.kind)) >= self.count


@pytest.fixture(scope="session")
def golden_run(lay_out: LayOut) -> Whole:
    """An uninterrupted run with golden rows."""
    from studio.train.recipes import run

    folder = with_golden(lay_out("golden"))
    return folder, run.train(folder)


def with_golden(folder: Path) -> Path:
    source = random.Random(3)
    rows = [json.dumps(conversation(source)) for _ in range(8)]
    (folder / recipe.DATA / recipe.GOLDEN).write_text("\n".join(rows) + "\n")
    return folder


def test_golden_rows_are_scored_before_the_first_step_and_at_every_evaluation(golden_run: Whole) -> None:
    folder, summary = golden_run
    told = events(folder, "golden")
    assert [event["step"] for event in told] == [0, 4, 8, 12]
    assert all(event["n"] == 8 and 0 <= event["exact_match"] <= 1 for event in told)
    kept = next(event for event in told if event["step"] == summary["best_step"])
    assert (summary["golden"]["before"], summary["golden"]["after"]) == (told[0]["scores"], kept["scores"])
    assert summary["golden"]["difference"]["n"] == 8
    measured = summary["golden"]["after"]["exact_match"]
    assert measured["low"] <= measured["mean"] <= measured["high"] and measured["n"] == 8


def test_the_best_checkpoint_is_the_one_with_the_best_task_score_among_equals_the_lower_loss(
    golden_run: Whole,
) -> None:
    folder, summary = golden_run
    scored = [(value, step) for step, value in choices(folder) if step]
    assert summary["best_step"] == max(scored)[1]
    assert summary["target"]["name"] == "eval_loss" and summary["target"]["after"] < summary["target"]["before"]
    assert json.loads((folder / "summary.json").read_text()) == summary


def test_watching_golden_rows_changes_nothing_that_is_learned(golden_run: Whole, whole_run: Whole) -> None:
    assert weights(golden_run[0]) == weights(whole_run[0])


def test_a_log_tells_speed_and_memory(golden_run: Whole) -> None:
    told = events(golden_run[0], "log")[:STEPS]
    assert all(event["tokens_per_second"] > 0 and event["memory_mb"] > 50 for event in told)
    assert [event["num_tokens"] for event in told] == sorted(event["num_tokens"] for event in told)
    assert {"loss", "learning_rate", "grad_norm"} <= set(told[0])


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("log", 6),
        ("train_begin", 1),
        pytest.param("eval", 1, marks=once_more),
        pytest.param("log", 12, marks=once_more),
    ],
)
def test_stopped_anywhere_it_goes_on_as_if_nothing_had_happened(
    lay_out: LayOut, golden_run: Whole, kind: str, count: int
) -> None:
    from studio.train.recipes import run

    folder = with_golden(lay_out("stopped"))
    first = run.train(folder, stop_asked=StopAt(folder, kind, count))
    assert first["stopped"] and not (folder / recipe.ADAPTER).exists()
    again = run.train(folder)
    assert not again["stopped"]
    assert weights(folder) == weights(golden_run[0])
    assert losses(folder) == losses(golden_run[0]) and choices(folder) == choices(golden_run[0])
    assert again["tokens"] == golden_run[1]["tokens"] and again["golden"] == golden_run[1]["golden"]


def test_interrupted_after_its_last_step_it_trains_no_further_step(golden_run: Whole, tmp_path: Path) -> None:
    from studio.train.recipes import run

    folder = shutil.copytree(golden_run[0], tmp_path / "unsaved", symlinks=True)
    (folder / WEIGHTS).unlink()
    assert run.train(folder)["steps"] == STEPS
    assert weights(folder) == weights(golden_run[0])
    assert losses(folder) == losses(golden_run[0])


def test_a_harmed_checkpoint_is_left_for_the_one_before(lay_out: LayOut, golden_run: Whole, tmp_path: Path) -> None:
    from studio.train.recipes import run

    changed, unreadable = with_golden(lay_out("harmed")), tmp_path / "unreadable"
    run.train(changed, stop_asked=StopAt(changed, "log", 10))
    assert step_of(saved(changed)[-1]) > 8
    shutil.copytree(changed, unreadable, symlinks=True)
    spoil(saved(changed)[-1], "a changed byte")
    spoil(saved(unreadable)[-1], "unreadable and unsealed")
    run.train(changed)
    run.train(unreadable, stop_asked=StopAt(unreadable, "train_begin", 2))
    for folder in (changed, unreadable):
        assert events(folder, "train_begin")[-1]["resumed_at"] == 8
        assert [each["rule"] for each in symptoms(tail(folder / recipe.EVENTS)[0], {})] == ["checkpoint_harmed"]
    assert weights(changed) == weights(golden_run[0])


def saved(folder: Path) -> list[Path]:
    return sorted((folder / recipe.OUTPUT).glob("checkpoint-*"), key=step_of)


def spoil(checkpoint: Path, harm: str) -> None:
    file = checkpoint / "adapter_model.safetensors"
    data = file.read_bytes()
    if harm == "a changed byte":
        file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        file.write_bytes(data[: len(data) // 2])
    if harm.endswith("unsealed"):
        (checkpoint / "whole.json").unlink()


def test_early_stopping_survives_an_interruption(lay_out: LayOut) -> None:
    from studio.train.recipes import run

    folders = []
    for name in ("patient", "interrupted"):
        folder = lay_out(name, learning_rate=0.0, save_steps=2, eval_steps=2)
        recipe.write(folder, _recipe(folder), {"samples": 0, "patience": 2})
        folders.append(folder)
    plain, cut = folders
    whole = run.train(plain)
    assert whole["steps"] < STEPS, "nothing is learned, so patience ends it"
    run.train(cut, stop_asked=StopAt(cut, "log", 5))
    assert run.train(cut)["steps"] == whole["steps"]
    assert weights(cut) == weights(plain)
    assert run.train(cut)["steps"] == whole["steps"], "and once over, it stays over"


def _recipe(folder: Path) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((folder / recipe.RECIPE).read_text())
    return found


def test_out_of_memory_halves_the_rows_at_once_and_keeps_the_rows_of_every_step(
    lay_out: LayOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is learned (rate 0), so a step's loss tells exactly which rows it saw."""
    from studio.train.recipes import run
    from studio.train.recipes.trainers import TRAINERS

    monkeypatch.setitem(TRAINERS, "sft", "tests.fakes.small_memory:SmallMemorySft")
    folder, roomy = lay_out("small", learning_rate=0.0), lay_out("roomy", learning_rate=0.0)
    summary = run.train(folder)
    told = [(event["micro_from"], event["micro_to"], event["accumulation"]) for event in events(folder, "oom")]
    assert told and told[0] == (8, 4, 2) and summary["oom"] == len(told)
    assert summary["steps"] == STEPS
    monkeypatch.undo()
    run.train(roomy)
    assert losses(folder) == [(step, pytest.approx(loss, rel=1e-5)) for step, loss in losses(roomy)]


def test_when_not_one_row_fits_it_says_so(lay_out: LayOut, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.train.recipes import run
    from studio.train.recipes.trainers import TRAINERS

    monkeypatch.setitem(TRAINERS, "sft", "tests.fakes.small_memory:NoMemorySft")
    folder = lay_out("none")
    with pytest.raises(OutOfMemory, match="one row"):
        run.train(folder)
    assert [event["micro_to"] for event in events(folder, "oom")] == [4, 2, 1]
    assert events(folder, "failed")[0]["rule"] == "out_of_memory_at_one_row"


def test_numbers_that_run_away_end_the_run_and_harm_no_checkpoint(lay_out: LayOut) -> None:
    from safetensors.torch import load_file

    from studio.train.recipes import run
    from studio.train.recipes.checkpoints import newest_complete

    folder = lay_out("diverged", learning_rate=1e30, max_grad_norm=0.0, save_steps=1, eval_steps=1, warmup_steps=4)
    with pytest.raises(Diverged, match="no longer a number"):
        run.train(folder)
    told = events(folder, "nan")[0]
    assert not (folder / recipe.ADAPTER).exists()
    good = newest_complete(folder / recipe.OUTPUT)
    assert told["last_good"] == told["step"] - 1 and (good is not None) == (told["last_good"] > 0)
    assert good is None or all(each.isfinite().all() for each in load_file(good / WEIGHTS.name).values())


@contextmanager
def files_up_to(limit: int) -> Iterator[Callable[[], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_the_run_and_leaves_the_checkpoint_before(lay_out: LayOut, whole_run: Whole) -> None:
    from studio.train.recipes import run

    folder = lay_out("full")
    with files_up_to(30_000) as fill, pytest.raises(StorageFull):
        run.train(folder, on_progress=lambda _done, text: fill() if text.startswith("Step 6 ") else None)
    assert [path.name for path in saved(folder)] == ["checkpoint-4"]
    run.train(folder)
    assert weights(folder) == weights(whole_run[0])


def test_killed_again_and_again_at_random_moments_the_weights_are_the_same(
    lay_out: LayOut, golden_run: Whole, tmp_path: Path
) -> None:
    source, left, resumed_at = random.Random(5), KILLS, set()
    while left:
        folder = with_golden(lay_out("random"))
        left = killed_until_done(folder, tmp_path / "log.txt", source, left)
        assert weights(folder) == weights(golden_run[0])
        assert losses(folder) == losses(golden_run[0]) and choices(folder) == choices(golden_run[0])
        resumed_at |= {event["resumed_at"] for event in events(folder, "train_begin")}
    assert len(resumed_at) > 1, "some kill came after a checkpoint"


def killed_until_done(folder: Path, log: Path, source: random.Random, left: int) -> int:
    """Kill the run at random moments until it gets through; how many kills are left then."""
    while True:
        process = start(folder, log)
        if left:
            await_a_moment(process, folder, source)
        else:
            process.join(120)
        if process.exitcode is None and process.pid:
            os.kill(process.pid, source.choice((signal.SIGKILL, signal.SIGTERM)))
            left -= 1
        process.join(60)
        if process.exitcode == 0:
            return left
        assert process.exitcode in (-signal.SIGKILL, -signal.SIGTERM, 143), log.read_text()[-3000:]


def await_a_moment(process: BaseProcess, folder: Path, source: random.Random) -> None:
    """Wait for a random number of events more, and a little longer: random by progress, however slow the machine."""
    log, more = folder / recipe.EVENTS, source.randint(0, 16)
    before = log.stat().st_size if log.exists() else 0
    while process.exitcode is None and tail(log, before)[0][more:] == []:
        process.join(0.01)
    process.join(source.uniform(0, 0.1))


def preferring(lay_out: LayOut, method: str, name: str) -> Path:
    """A folder that prefers right answers to wrong ones."""
    folder, source, rows = (
        lay_out(name, learning_rate=5e-3, lora_dropout=0.1, save_steps=2, eval_steps=2, max_steps=6),
        random.Random(4),
        [],
    )
    for number in range(40):
        row = conversation(source)
        right = row["completion"]
        wrong = [{"role": "assistant", "content": "I do not know."}]
        if method == "kto":
            rows.append({**row, "completion": right if number % 2 else wrong, "label": bool(number % 2)})
        else:
            rows.append({"prompt": row["prompt"], "chosen": right, "rejected": wrong})
    write_rows(folder, rows)
    change_studio(folder, method=method, trainer=method, samples=1)
    return with_golden(folder)


@pytest.mark.parametrize("method", ["dpo", pytest.param("kto", marks=once_more)])
def test_preference_methods_go_on_as_exactly_also_with_dropout(lay_out: LayOut, method: str) -> None:
    from studio.train.recipes import run

    whole, cut = (preferring(lay_out, method, f"{method}-{name}") for name in ("whole", "cut"))
    summary = run.train(whole)
    run.train(cut, stop_asked=StopAt(cut, "eval", 2))
    run.train(cut, stop_asked=StopAt(cut, "log", 3))
    assert run.train(cut)["tokens"] == summary["tokens"]
    assert weights(cut) == weights(whole) and losses(cut) == losses(whole)
    assert choices(cut) == choices(whole)
    assert len({event["step"] for event in events(whole, "sample")}) == 4 and summary["golden"]


def test_a_model_that_forgot_is_found_out_and_one_that_did_not_is_not(
    learned_run: Whole, tmp_path: Path, base_folder: Path
) -> None:
    from studio.train.recipes.forgetting import guard

    source = random.Random(9)
    rows = [conversation(source) for _ in range(20)]
    untaught = [{**row, "completion": [{"role": "assistant", "content": "I see."}]} for row in rows]
    found = {}
    for name, kept in (("taught", rows), ("unlearned", untaught)):
        folder = tmp_path / name
        (folder / recipe.DATA).mkdir(parents=True)
        (folder / recipe.DATA / recipe.KEEP).write_text("".join(json.dumps(row) + "\n" for row in kept))
        (folder / recipe.BASE).symlink_to(base_folder)
        (folder / recipe.MERGED).symlink_to(learned_run[0] / recipe.MERGED)
        found[name] = guard(folder)
    assert found["taught"]["difference"]["difference"] > 0 and found["taught"]["difference"]["n"] == 20
    before = found["unlearned"]["before"]["exact_match"]["mean"]
    assert found["unlearned"]["difference"]["difference"] == pytest.approx(-before)
    assert guard(learned_run[0]) == {}, "no rows to keep, nothing to say"


def test_a_task_with_a_scorer_of_its_own_chooses_by_generated_answers(lay_out: LayOut) -> None:
    from studio.train.recipes import run

    folder = lay_out("scored")
    change_studio(folder, task={"name": "valid_json"})
    summary = run.train(folder)
    told = events(folder, "eval")
    assert [event["step"] for event in told] == [0, 4, 8, 12]
    assert any(event["eval_task"] != event["eval_greedy_exact"] for event in told)
    best = max(((event["eval_choice"], event["step"]) for event in told if event["step"]), key=lambda each: each[0])
    assert summary["best_step"] == best[1]


def test_a_process_of_its_own_leaves_its_error_as_a_sentence(lay_out: LayOut, tmp_path: Path) -> None:
    folder = lay_out("alone", learning_rate="fast")
    process = start(folder, tmp_path / "log.txt")
    process.join(120)
    assert process.exitcode == 1
    told = json.loads((folder / "error.json").read_text())
    assert told["type"] == "InvalidInput" and told["is_ours"] and "invalid float value: 'fast'" in told["error"]
    assert not (folder / "summary.json").exists()


def test_a_judge_shows_its_scores_of_a_few_pairs(lay_out: LayOut) -> None:
    from studio.train.recipes import run

    folder = preferring(lay_out, "reward", "judge")
    change_studio(folder, samples=2)
    summary = run.train(folder)
    shown = [event for event in events(folder, "sample") if event["step"] == summary["best_step"]]
    assert len(shown) == 2 and all("for the better answer" in event["answer"] for event in shown)
    assert all(
        event["right"] == (float(event["answer"].split()[0]) > float(event["answer"].split()[5])) for event in shown
    )
    assert summary["target"]["name"] == "accuracy" and summary["target"]["after"] >= summary["target"]["before"]


def test_the_card_of_a_real_run_speaks_of_its_golden_rows(golden_run: Whole) -> None:
    from storage.tables import TrainingRun
    from studio.train.card import make_card

    folder, summary = golden_run
    run = TrainingRun(project_id="p", dataset_version_id="v", base_model_id="b", name="r", plan={})
    card = make_card(run, summary, tail(folder / recipe.EVENTS)[0])
    assert "8 golden rows" in card["sentence"] and card["overfit"]["verdict"] is False
    assert any(sentence.startswith("Loss on held-out rows: from 5.") for sentence in card["learned"])
    assert any("16 held-out rows" in sentence for sentence in card["learned"])
    right = sum(event["answer"] == event["expected"] for event in events(folder, "sample") if event["step"] == STEPS)
    assert len(card["fails"]) + right == 2, "two answers are sampled"


def test_rows_that_call_tools_are_learned_but_not_compared_as_text() -> None:
    from studio.train.recipes.answers import can_be_asked, expected

    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "look_up"}}]}
    assert not can_be_asked({"prompt": [], "completion": [call]})
    assert not can_be_asked({"prompt": [], "completion": [{"role": "assistant", "content": "x"}], "tools": "[{}]"})
    plain = {"prompt": [], "chosen": [{"role": "assistant", "content": "x"}]}
    assert can_be_asked(plain) and expected(plain) == "x"
    assert expected({"completion": [{"content": "disliked"}], "label": False}) == ""
