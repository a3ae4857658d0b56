"""A folder that both the studio and the place see: attempts side by side, each in a folder of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from storage.artifacts import write_atomically
from studio.errors import InvalidInput
from studio.train import recipe as recipes
from studio.train.runners import luggage
from studio.train.runners.port import handle_of

LOG = "log.txt"


class SharedFolder:
    """Lays attempts out, fences older ones, and takes up what they left."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InvalidInput(
                f"The shared folder {root} is not there. Mount it, or correct it under Settings, Compute."
            )
        self.root = root

    def attempt(self, handle: str) -> Path:
        """The attempt's own folder."""
        return self.root / handle

    def fence(self, run_id: str) -> Path:
        """Holds the number of the attempt that may run; a job that reads a later number than its own ends itself."""
        return self.root / f"{run_id}.fence"

    def allow_only(self, run_id: str, attempt: int) -> None:
        """From now on no earlier attempt of this run may go on."""
        write_atomically(self.fence(run_id), str(attempt).encode())

    def lay_out(self, folder: Path, run_id: str, attempt: int, without_base: bool) -> Path:
        """Make the attempt's folder once, whole or not at all."""
        target = self.attempt(handle_of(run_id, attempt))
        if target.exists():
            return target
        part = target.with_name(f"{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        for path, name in luggage.run_files(folder, without_base):
            _copy(path, part / name)
        for path, name in luggage.source_files():
            _copy(path, part / luggage.CODE / name)
        if attempt > 1:
            self._take_up(handle_of(run_id, attempt - 1), part)
        part.rename(target)
        return target

    def forget(self, run_id: str) -> None:
        """Remove every attempt of this run and its fence."""
        for attempt in self.root.glob(f"{run_id}-a*"):
            shutil.rmtree(attempt, ignore_errors=True)
        self.fence(run_id).unlink(missing_ok=True)

    def _take_up(self, earlier: str, part: Path) -> None:
        """The newest whole checkpoint of the attempt before, and its events."""
        before = self.attempt(earlier)
        if (before / recipes.EVENTS).exists():
            _copy(before / recipes.EVENTS, part / recipes.EVENTS)
        whole = [path.parent for path in (before / recipes.OUTPUT).glob("checkpoint-*/trainer_state.json")]
        if whole:
            newest = max(whole, key=lambda path: int(path.name.rpartition("-")[2]))
            shutil.copytree(newest, part / recipes.OUTPUT / newest.name)

    def log(self, handle: str, offset: int) -> tuple[bytes, int]:
        """What the attempt printed after this byte."""
        path = self.attempt(handle) / LOG
        if not path.exists():
            return b"", offset
        with path.open("rb") as stream:
            stream.seek(offset)
            block = stream.read()
        return block, offset + len(block)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
