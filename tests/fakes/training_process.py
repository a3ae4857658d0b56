"""A training process that starts in no time: forked from a server that has the libraries loaded already."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from studio.train.recipes.process import prepare

PRELOADED = ["torch", "datasets", "studio.train.recipes.run", "studio.train.recipes.trainers.sft"]


def start(
    folder: Path, log: Path, environment: dict[str, str] | None = None, trainers: dict[str, str] | None = None
) -> BaseProcess:
    """`python -m studio.train.recipes.run FOLDER`, but quick to start."""
    prepare()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_train, args=(folder, log, environment or {}, trainers or {}))
    process.start()
    return process


def start_several(folder: Path, log: Path, count: int, port: int, trainers: dict[str, str]) -> list[BaseProcess]:
    """The processes of one run, as torchrun starts them."""
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = ({"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count))
    return [start(folder, log, shared | rank, trainers) for rank in ranks]


def _train(folder: Path, log: Path, environment: dict[str, str], trainers: dict[str, str]) -> None:
    os.environ.update(environment)
    from studio.train.recipes.run import main
    from studio.train.recipes.trainers import TRAINERS

    TRAINERS.update(trainers)
    stream = log.open("a", buffering=1)
    os.dup2(stream.fileno(), 1)
    os.dup2(stream.fileno(), 2)
    sys.exit(main(folder))
