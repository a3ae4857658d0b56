"""Every rule is provoked for real: by torch, transformers, TRL, PEFT, the operating system, a place not there."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import write_atomically
from storage.tables import Job, TrainingRun
from studio.errors import StudioError
from studio.train import recipe
from studio.train.events import tail
from studio.train.failures import RULES, SYMPTOMS, diagnose, symptoms
from tests.fakes.training_folder import change_studio, edit, own_base, write_rows
from tests.fakes.training_process import start_several
from tests.integration.train.conftest import conversation

pytestmark = pytest.mark.slow
LayOut = Callable[..., Path]
PLAN = {
    "values": [
        {"name": name, "value": value}
        for name, value in {
            "learning_rate": 0.02,
            "max_length": 64,
            "batch_size": 8,
            "micro_batch": 8,
            "num_train_epochs": 3.0,
            "training": "lora",
            "checkpointing": False,
        }.items()
    ]
}


def failure_of(folder: Path, log: Callable[[], str] = str) -> dict[str, Any]:
    """Train, and diagnose what is raised."""
    from studio.train.recipes import run

    with pytest.raises(Exception) as raised:
        run.train(folder)
    told = diagnose(raised.value, tail(folder / recipe.EVENTS)[0], log(), PLAN)
    assert told["cause"] and told["evidence"] and told["fix"]["label"]
    return told


def without_template(folder: Path) -> None:
    (own_base(folder) / "chat_template.jinja").unlink()
    edit(folder / recipe.BASE / "tokenizer_config.json", lambda found: found.pop("chat_template", None))


def with_a_bigger_tokenizer(folder: Path) -> None:
    path = own_base(folder) / "tokenizer.json"
    token = {"id": 5000, "content": "light", "special": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    edit(path, lambda found: found["added_tokens"].append(token | flags))
    edit(path, lambda found: found["model"]["vocab"].update({"light": 5000}))


def with_fewer_rows_of_weights(folder: Path) -> None:
    edit(own_base(folder) / "config.json", lambda found: found.update(vocab_size=100))


def with_other_sizes(folder: Path) -> None:
    edit(own_base(folder) / "config.json", lambda found: found.update(intermediate_size=77))


def of_an_unknown_kind(folder: Path) -> None:
    edit(own_base(folder) / "config.json", lambda found: found.update(model_type="qwen99", architectures=["Qwen99"]))


def with_torn_weights(folder: Path) -> None:
    (own_base(folder) / "model.safetensors").write_bytes(b"123")


def without_tokenizer(folder: Path) -> None:
    (own_base(folder) / "tokenizer.json").unlink()


def without_rows(folder: Path) -> None:
    (folder / recipe.DATA / recipe.TRAIN).write_text("")


def as_preferences(folder: Path) -> None:
    change_studio(folder, method="dpo", trainer="dpo")


def with_every_turn_and_no_marks(folder: Path) -> None:
    base, source = own_base(folder), random.Random(2)
    template = base / "chat_template.jinja"
    plain = template.read_text().replace("{%- generation %}", "").replace("{%- endgeneration %}", "")
    template.write_text(plain.replace("{% generation %}", "").replace("{% endgeneration %}", ""))
    rows = [conversation(source) for _ in range(24)]
    write_rows(folder, [{"messages": [*row["prompt"], *row["completion"]]} for row in rows])


FOLDERS: list[tuple[str, Callable[[Path], None] | None, dict[str, Any]]] = [
    ("no_chat_template", without_template, {}),
    ("vocabulary_mismatch", with_a_bigger_tokenizer, {}),
    ("vocabulary_mismatch", with_fewer_rows_of_weights, {}),
    ("sizes_differ", with_other_sizes, {}),
    ("unknown_architecture", of_an_unknown_kind, {}),
    ("base_damaged", with_torn_weights, {}),
    ("base_damaged", without_tokenizer, {}),
    ("adapter_targets", None, {"lora_target_modules": ["nowhere"]}),
    ("flash_attention_missing", None, {"attn_implementation": "flash_attention_2"}),
    ("precision_unsupported", None, {"use_cpu": False, "bf16": True}),
    ("rows_too_long", None, {"max_length": 4}),
    ("no_rows", without_rows, {}),
    ("rows_of_another_kind", as_preferences, {"max_steps": 1}),
    ("no_supervised_tokens", with_every_turn_and_no_marks, {"assistant_only_loss": True}),
    ("unknown_key", None, {"colour": "red"}),
    ("bad_value", None, {"optim": "nowhere"}),
    ("bad_value", None, {"learning_rate": "fast"}),
]


@pytest.mark.parametrize(("rule", "spoil", "changes"), FOLDERS, ids=[f"{e[0]}-{n}" for n, e in enumerate(FOLDERS)])
def test_what_is_wrong_with_a_run_is_recognised(
    lay_out: LayOut,
    rule: str,
    spoil: Callable[[Path], None] | None,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = lay_out("wrong", **changes)
    if spoil:
        spoil(folder)
    assert failure_of(folder, lambda: caplog.text)["rule"] == rule


@pytest.mark.parametrize("missing", ["bitsandbytes"])
def test_four_bits_without_the_library_for_it(lay_out: LayOut, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.train.recipes.loading.QLORA", f"{missing}_that_is_not_here")
    told = failure_of(lay_out("quantised", load_in_4bit=True))
    assert told["rule"] == "quantisation_missing" and told["fix"]["overrides"] == {"training": "lora"}


def practising(lay_out: LayOut, **changes: Any) -> Path:
    source = random.Random(2)
    settings = {"max_completion_length": 8, "num_generations": 4, "max_steps": 1, **changes}
    folder = lay_out("practise", **settings)
    made = yaml_of(folder)
    made.pop("max_length")
    recipe.write(
        folder, made, {"method": "grpo", "trainer": "grpo", "rewards": [{"name": "exact_match"}], "samples": 0}
    )
    rows = [conversation(source) for _ in range(16)]
    write_rows(folder, [{"prompt": row["prompt"], "reference": row["completion"][0]["content"]} for row in rows])
    return folder


def yaml_of(folder: Path) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((folder / recipe.RECIPE).read_text())
    return found


def test_answers_per_prompt_that_do_not_divide_the_rows(lay_out: LayOut) -> None:
    told = failure_of(practising(lay_out, num_generations=3))
    assert told["rule"] == "too_few_rows" and told["fix"]["overrides"]["batch_size"] % 4 == 0


def test_a_check_that_fails_on_an_answer(lay_out: LayOut, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.scoring import SCORERS

    monkeypatch.setitem(SCORERS, "broken", "tests.fakes.broken_scorer:Broken")
    folder = practising(lay_out)
    change_studio(folder, rewards=[{"name": "broken"}])
    told = failure_of(folder)
    assert told["rule"] == "reward_failed" and "division by zero" in told["evidence"]


def test_an_adapter_of_another_base(whole_run: tuple[Path, Any], tmp_path: Path) -> None:
    from studio.train.recipes import base, merge
    from tests.integration.train.conftest import SMALL, documents

    lines = tmp_path / "documents.jsonl"
    lines.write_text("".join(f'{{"text": "{text[:9].strip()}"}}\n' for text in ["hello you"] * 50))
    base.build(lines, tmp_path / "other", shape=base.Shape(**SMALL | {"hidden": 48, "steps": 1, "block": 8}))
    with pytest.raises(RuntimeError) as raised:
        merge.merge(tmp_path / "other", whole_run[0] / recipe.ADAPTER, tmp_path / "merged")
    assert diagnose(raised.value, [], "", {})["rule"] == "adapter_of_another_base", documents()[0]


def test_memory_that_the_allocator_refuses() -> None:
    import torch

    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 50)
    told = diagnose(raised.value, [], "", PLAN)
    assert told["rule"] == "out_of_memory" and told["fix"]["overrides"] == {"micro_batch": 4}


def test_several_processes_leave_together_when_one_is_out_of_memory_and_go_on_with_half(
    lay_out: LayOut, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    folder, log = lay_out("several", max_steps=2), tmp_path / "log.txt"
    small = {"sft": "tests.fakes.small_memory:SmallMemorySft"}
    codes = []
    for _attempt in range(2):
        processes = start_several(folder, log, 2, free_port(), small)
        for process in processes:
            process.join(200)
        codes.append([process.exitcode for process in processes])
        if codes == [[1, 1]]:
            sentence = json.loads((folder / "error.json").read_text())["error"]
            told = diagnose(sentence, tail(folder / recipe.EVENTS)[0], "", PLAN)
            assert told["rule"] == "out_of_memory" and told["fix"]["resume"]
    assert codes == [[1, 1], [0, 0]], log.read_text()[-3000:]
    oom = [event for event in tail(folder / recipe.EVENTS)[0] if event["kind"] == "oom"]
    assert [(event["micro_from"], event["micro_to"]) for event in oom] == [(8, 4)]


def test_a_gpu_that_is_not_there() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises((AssertionError, RuntimeError)) as raised:
        torch.zeros(1).cuda()
    told = diagnose(raised.value, [], "", {})
    assert told["rule"] == "cuda_error" and told["fix"]["resume"]


def test_a_run_that_the_machine_kills(tmp_path: Path) -> None:
    from studio.jobs.folders import RunFolder
    from studio.jobs.outcome import judge

    code = subprocess.run([sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"]).returncode
    job = Job(kind="train", attempt=1, interruptions=99, max_interruptions=3)
    folder = RunFolder.of(tmp_path, job.id)
    folder.prepare(1)
    write_atomically(folder.attempt(1) / "exit.json", f'{{"code": {code}, "at": 0}}'.encode())
    told = diagnose(judge(job, folder).values["error"], [{"kind": "log", "step": 3, "memory_mb": 2048}], "", PLAN)
    assert told["rule"] == "killed" and "2.0 GiB" in told["evidence"]
    assert told["fix"]["overrides"] == {"micro_batch": 4}


def test_a_hub_that_does_not_answer_and_one_that_wants_a_licence_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]
) -> None:
    from studio.train import hub
    from tests.fakes.gated_hub import gated_hub

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free_port()}")
    rules = []
    with pytest.raises(StudioError) as unreachable:
        hub.download("Qwen/Qwen3-0.6B", "", tmp_path)
    rules.append(diagnose(unreachable.value, [], "", {})["rule"])
    with gated_hub() as endpoint:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        with pytest.raises(StudioError, match="licence") as gated:
            hub.download("Qwen/Qwen3-0.6B", "", tmp_path)
    rules.append(diagnose(gated.value, [], "", {})["rule"])
    assert rules == ["base_out_of_reach"] * 2


def test_a_place_that_does_not_answer(free_port: Callable[[], int]) -> None:
    from studio.train.runners.ray import RayRunner

    with pytest.raises(StudioError) as raised:
        RayRunner(f"http://127.0.0.1:{free_port()}").check()
    assert diagnose(raised.value, [], "", {})["rule"] == "place_out_of_reach"


def watched_run(lay_out: LayOut, rows: list[dict[str, Any]], watched: int = 8, **changes: Any) -> list[dict[str, Any]]:
    from studio.train.recipes import run

    folder = lay_out("watched", **changes)
    write_rows(folder, rows, watched)
    change_studio(folder, samples=0, patience=99)
    run.train(folder)
    return tail(folder / recipe.EVENTS)[0]


def rules(events: list[dict[str, Any]]) -> list[str]:
    return [each["rule"] for each in symptoms(events, PLAN)]


def test_a_loss_that_does_not_fall(lay_out: LayOut) -> None:
    source = random.Random(2)
    events = watched_run(lay_out, [conversation(source) for _ in range(32)], learning_rate=1e-7)
    assert rules(events) == ["loss_stuck"]
    assert symptoms(events, PLAN)[0]["fix"]["overrides"]["learning_rate"] > 0.02


def test_a_loss_that_explodes(lay_out: LayOut) -> None:
    source = random.Random(2)
    rows = [conversation(source) for _ in range(32)]
    slow = {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 8, "max_grad_norm": 0.0}
    events = watched_run(lay_out, rows, learning_rate=1.0, use_peft=False, max_steps=24, **slow)
    assert "loss_exploded" in rules(events)
    assert symptoms(events, PLAN)[0]["fix"]["overrides"]["learning_rate"] < 0.02


@pytest.mark.parametrize(
    ("steps", "rate", "expected"), [(6, 1.0, "loss_exploded"), (24, 1.0, "loss_jumped"), (3, 1e-7, "target_unmoved")]
)
def test_a_run_that_taught_nothing_says_so_on_its_card(lay_out: LayOut, steps: int, rate: float, expected: str) -> None:
    from studio.train.card import make_card
    from studio.train.recipes import run

    every = steps // 3
    pace = {"max_steps": steps, "save_steps": every, "eval_steps": every, "logging_steps": 2}
    folder = lay_out("wild", use_peft=False, learning_rate=rate, **pace)
    change_studio(folder, samples=0, patience=99)
    summary = run.train(folder)
    row = TrainingRun(project_id="p", dataset_version_id="v", base_model_id="b", name="wild", plan=PLAN)
    card = make_card(row, summary, tail(folder / recipe.EVENTS)[0])
    assert [each["rule"] for each in card["warnings"]] == [expected]
    assert card["next"][0]["rule"] == expected


def test_rows_learned_by_heart(lay_out: LayOut) -> None:
    source = random.Random(2)
    rows = [conversation(source) for _ in range(24)]
    for row in rows:  # answers that follow from nothing: all there is to learn is the rows themselves
        row["completion"][0]["content"] = "".join(source.choice("abcdefgh") for _ in range(6))
    many = {"max_steps": 60, "eval_steps": 10, "save_steps": 10, "use_peft": False}
    events = watched_run(lay_out, rows, learning_rate=1e-2, **many)
    assert "overfit" in rules(events)


def test_preferences_pushed_so_far_that_the_better_answers_become_unlikely_too(
    lay_out: LayOut, learned_run: tuple[Path, dict[str, Any]]
) -> None:
    source, rows = random.Random(2), []
    for row in (conversation(source) for _ in range(48)):
        right = row["completion"][0]["content"]
        wrong = right.replace("true", "TRUE").replace("false", "true").replace("TRUE", "false")
        pair = {"chosen": right, "rejected": wrong}
        answers = {name: [{"role": "assistant", "content": text}] for name, text in pair.items()}
        rows.append({"prompt": row["prompt"], **answers})
    folder = lay_out("collapse", use_peft=False, learning_rate=3e-2, max_steps=16, beta=0.1, eval_steps=8, save_steps=8)
    (folder / recipe.BASE).unlink()
    (folder / recipe.BASE).symlink_to(learned_run[0] / recipe.MERGED)
    write_rows(folder, rows)
    change_studio(folder, method="dpo", trainer="dpo", samples=0, patience=99)
    from studio.train.recipes import run

    run.train(folder)
    events = tail(folder / recipe.EVENTS)[0]
    assert "preferences_collapsed" in rules(events)


def test_a_run_that_goes_well_has_no_symptom(learned_run: tuple[Path, dict[str, Any]]) -> None:
    assert rules(tail(learned_run[0] / recipe.EVENTS)[0]) == []


def test_every_rule_is_provoked_by_a_test() -> None:
    told = Path(__file__).read_text() + Path(__file__).with_name("test_survival.py").read_text()
    elsewhere = {
        "halved": "out_of_memory",
        "at_one_row": "out_of_memory_at_one_row",
        "not_a_number": "Diverged",
        "disk_full": "StorageFull",
    }
    names = [elsewhere.get(rule.__name__, rule.__name__) for rule in (*RULES, *SYMPTOMS)]
    assert [name for name in names if f'"{name}"' not in told and name not in ("Diverged", "StorageFull")] == []
    assert "pytest.raises(Diverged" in told and "pytest.raises(StorageFull" in told
