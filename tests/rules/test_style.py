"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("studio", "storage", "pages")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "versions" not in path.parts
)
PAGES = sorted(path for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py")
PAGE_MAP = {
    *("home", "capture", "curate", "label", "review", "train", "evaluate", "deploy", "improve", "settings"),
}
HEAVY = ("torch", "trl", "peft", "transformers")


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_every_page_of_the_page_map_exists_and_no_other() -> None:
    assert {path.stem for path in PAGES} == PAGE_MAP


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_is_thin(path: Path) -> None:
    assert lines(path) <= 90


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_holds_no_sql_no_io_and_no_try(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {alias.name.split(".")[0] for node in ast.walk(tree) for alias in getattr(node, "names", [])}
    modules = {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not (imported | modules) & {"sqlmodel", "sqlalchemy", "httpx", "requests", "subprocess", "os"}
    assert not any(isinstance(node, ast.Try) for node in ast.walk(tree))
    assert not any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "open" for node in ast.walk(tree))


def test_no_room_is_over_400_lines() -> None:
    assert [f"{path.relative_to(ROOT)}: {lines(path)}" for path in SOURCES if lines(path) > 400] == []


def test_most_rooms_are_under_150_lines() -> None:
    assert sum(lines(path) <= 150 for path in SOURCES) / len(SOURCES) >= 0.75


def test_most_functions_are_under_ten_lines_and_few_over_thirty() -> None:
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    ]
    assert sorted(lengths)[len(lengths) // 2] <= 10
    assert sum(length > 30 for length in lengths) / len(lengths) <= 0.05


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_swallowed_exception_and_no_mock(path: Path) -> None:
    text = path.read_text()
    for handler in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler)):
        broad = handler.type is None or getattr(handler.type, "id", "") in ("Exception", "BaseException")
        assert not (broad and all(isinstance(line, ast.Pass) for line in handler.body)), f"line {handler.lineno}"
    assert "unittest.mock" not in text


def test_captured_text_is_never_shown_as_html() -> None:
    guilty = [path.name for path in SOURCES if "unsafe_allow_html" in path.read_text()]
    assert guilty == []


def test_torch_is_imported_at_module_level_only_in_training_generation_and_serving() -> None:
    allowed = ("studio/train/recipes/", "studio/deploy/server/", "studio/evaluate/local_generation")
    for path in SOURCES:
        relative = str(path.relative_to(ROOT))
        if relative.startswith(allowed):
            continue
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in HEAVY], relative


def test_composing_the_studio_and_the_web_app_does_not_import_torch() -> None:
    code = (
        "import sys; import studio.bootstrap, studio.ui.server, studio.gateway, studio.cli;"
        f"sys.exit(','.join(m for m in {HEAVY[:3]!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
