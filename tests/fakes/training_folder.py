"""A run's folder with something wrong in it, for the rules that must recognise what follows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.train import recipe


def own_base(folder: Path) -> Path:
    """Give the folder a base of its own, to be spoiled."""
    base = folder / recipe.BASE
    original = base.resolve()
    base.unlink()
    shutil.copytree(original, base)
    return base


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def write_rows(folder: Path, rows: list[dict[str, Any]], watched: int = 8) -> None:
    """Replace the rows; the last few are held out."""
    split = len(rows) - watched
    for name, part in ((recipe.TRAIN, rows[:split]), (recipe.EVAL, rows[split:])):
        (folder / recipe.DATA / name).write_text("".join(json.dumps(row) + "\n" for row in part))


def change_studio(folder: Path, **changes: Any) -> None:
    """Change the studio's own keys."""
    edit(folder / recipe.STUDIO, lambda found: found.update(changes))
