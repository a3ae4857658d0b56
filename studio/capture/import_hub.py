"""Datasets of the Hugging Face Hub: the files of one split, fetched into an upload to be imported as any file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from studio.capture.import_uploads import Uploads
from studio.errors import InvalidInput, NotFound, StorageFull, Unavailable
from studio.jobs.context import JobContext

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
WORD = re.compile(r"[\w.-]{0,100}")
KINDS = (".parquet", ".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".xlsx")
PACKED = (".gz", ".zst", ".bz2", ".xz", ".zip")
CONVERTED = "refs/convert/parquet"
"""Where the Hub keeps a Parquet copy of most public datasets."""
NOT_ROWS = ("dataset_infos.json", "dataset_info.json", "package.json", "config.json")
YES = frozenset({"1", "on", "yes", "true"})
MOST_FILES = 200
OFFLINE = (
    "HF_HUB_OFFLINE keeps this machine from the Hugging Face Hub. Unset it and restart the studio, or download the"
    " dataset elsewhere and import its files."
)


def checked(dataset: str, config: str = "", split: str = "", revision: str = "") -> dict[str, str]:
    """What was asked for; an address of the Hub is understood. Raises InvalidInput."""
    dataset = dataset.strip().removeprefix("https://huggingface.co/").removeprefix("datasets/").strip("/")
    if not NAME.fullmatch(dataset) or ".." in dataset:
        raise InvalidInput("Write the dataset's name as on the Hub: owner/name.")
    asked = {"dataset": dataset, "config": config.strip(), "split": split.strip(), "revision": revision.strip()}
    for name in ("config", "split"):
        if not WORD.fullmatch(asked[name]) or ".." in asked[name]:
            raise InvalidInput(f"The {name} {asked[name]!r} is no name. Copy it from the dataset's page.")
    return asked


def fetch(context: JobContext) -> dict[str, Any]:
    """Download the split's files; what is whole already is not fetched again."""
    spec = context.spec
    target = Uploads(context.settings.root.resolve() / "uploads").folder / str(spec["upload"]) / "file"
    with told_plainly(str(spec["dataset"])):
        revision, files = files_of(spec)
        for number, name in enumerate(files):
            context.leave_if_asked()
            context.report(number / len(files), f"Fetching {Path(name).name} ({number + 1} of {len(files)})")
            _download(str(spec["dataset"]), name, revision, target)
    return {"upload": spec["upload"], "files": len(files), "dataset": spec["dataset"]}


def files_of(spec: dict[str, Any]) -> tuple[str, list[str]]:
    """The revision and the split's files. Raises InvalidInput with the splits there are."""
    from huggingface_hub import HfApi

    api, dataset, wanted = HfApi(), str(spec["dataset"]), str(spec.get("revision") or "")
    info = api.dataset_info(dataset, revision=wanted or None)
    own = [each.rfilename for each in info.siblings or [] if _has_rows(each.rfilename)]
    if found := chosen(own, str(spec["config"]), str(spec["split"])):
        return info.sha or wanted or "main", found
    converted = _converted(api, dataset) if not wanted else []
    if found := chosen(converted, str(spec["config"]), str(spec["split"])):
        return CONVERTED, found
    raise InvalidInput(_which(dataset, own + converted, str(spec["config"]), str(spec["split"])))


def chosen(files: list[str], config: str, split: str) -> list[str]:
    """The files of a split, of one kind; where no split is named, the training split, or all files if there are few."""
    files = [name for name in files if not config or config.lower() in _words(name)]
    if split:
        files = [name for name in files if split.lower() in _words(name)]
    elif any("train" in _words(name) for name in files):
        files = [name for name in files if "train" in _words(name)]
    for kind in KINDS:
        if of_kind := [name for name in files if _plain(name).endswith(kind)]:
            return sorted(of_kind)[:MOST_FILES]
    return []


@contextmanager
def told_plainly(dataset: str) -> Iterator[None]:
    """What the Hub's client raises, as sentences."""
    from httpx2 import HTTPError  # what huggingface_hub speaks HTTP with
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in YES:
        raise Unavailable(OFFLINE)
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise Unavailable(OFFLINE) from error
    except GatedRepoError as error:
        fix = f"Accept its terms on https://huggingface.co/datasets/{dataset}, and set HF_TOKEN to a token that may."
        raise NotFound(f"{dataset} asks for its terms to be accepted. {fix}") from error
    except RevisionNotFoundError as error:
        raise NotFound(f"{dataset} has no such revision. Leave the revision empty for its newest one.") from error
    except RepositoryNotFoundError as error:
        fix = "Check the name; for a private one set HF_TOKEN and restart the studio."
        raise NotFound(f"There is no dataset {dataset} on the Hub. {fix}") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError) as error:
        raise Unavailable(f"The Hugging Face Hub does not answer as it should: {error}. Try again later.") from error
    except OSError as error:
        if error.errno in (28, 122):
            raise StorageFull() from error
        raise Unavailable(f"The Hugging Face Hub cannot be reached: {error}. Try again later.") from error


def _download(dataset: str, name: str, revision: str, target: Path) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download(dataset, name, repo_type="dataset", revision=revision, local_dir=target)


def _converted(api: Any, dataset: str) -> list[str]:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        found = api.dataset_info(dataset, revision=CONVERTED)
    except RevisionNotFoundError:
        return []
    return [each.rfilename for each in found.siblings or [] if _has_rows(each.rfilename)]


def _has_rows(name: str) -> bool:
    return _plain(name).endswith(KINDS) and Path(name).name not in NOT_ROWS and not name.startswith(".")


def _plain(name: str) -> str:
    lower = name.lower()
    return lower.rpartition(".")[0] if lower.endswith(PACKED) else lower


def _words(name: str) -> set[str]:
    """Folders and the words of a file's name: default/train-00000-of-00001.parquet has train and default."""
    parts = _plain(name).rpartition(".")[0].split("/")
    return {part.lower() for part in parts} | {word for part in parts for word in re.split(r"[-_.]", part.lower())}


def _which(dataset: str, files: list[str], config: str, split: str) -> str:
    if not files:
        return f"{dataset} has no files that can be imported (Parquet, JSON lines, JSON, CSV, TSV, Excel)."
    asked = " and ".join(f"{name} {value!r}" for name, value in (("config", config), ("split", split)) if value)
    shown = ", ".join(sorted(files)[:10]) + (f" and {len(files) - 10} more" if len(files) > 10 else "")
    return f"{dataset} has no files for {asked or 'a training split'}. Its files are: {shown}."
