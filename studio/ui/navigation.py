"""The ten pages: their names, order, icons, and who sees them. What is hidden here is also refused by every verb."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.access.actor import Role

FOLDER = Path(__file__).resolve().parents[2] / "pages"
READERS = frozenset({Role.VIEWER, Role.EDITOR, Role.ADMIN})
EVERYBODY = frozenset(Role)
MAKERS = frozenset({Role.EDITOR, Role.ADMIN})


@dataclass(frozen=True)
class PageEntry:
    """One page of the sidebar."""

    name: str
    icon: str
    help: str
    seen_by: frozenset[Role] = READERS
    section: str = "Loop"

    @property
    def title(self) -> str:
        """The name as the sidebar shows it."""
        return self.name.capitalize()

    @property
    def path(self) -> Path:
        """The page's file."""
        return FOLDER / f"{self.name}.py"


PAGES = (
    PageEntry("home", "home", "Where the loop stands and the next best step.", section=""),
    PageEntry("capture", "receipt_long", "Every call of your feature as it arrives: search, filter, read, rate."),
    PageEntry("curate", "dataset", "Turn calls into examples, clean them, and freeze immutable dataset versions."),
    PageEntry("label", "label", "Teammates check examples in Argilla; see progress and agreement.", EVERYBODY),
    PageEntry("review", "rate_review", "Decide together on the examples people disagree about.", EVERYBODY),
    PageEntry("train", "model_training", "Fine-tune a small model on a frozen version and watch it learn."),
    PageEntry("evaluate", "analytics", "Compare models on the golden set, with intervals."),
    PageEntry("deploy", "rocket_launch", "Put a model behind your alias, step by step, with undo."),
    PageEntry("improve", "cycle", "What users say about each model, and the next turn of the loop."),
    PageEntry("settings", "settings", "People, API keys, providers, projects and health.", MAKERS, "Admin"),
)
_BY_NAME = {page.name: page for page in PAGES}


def page_path(name: str) -> Path:
    """The absolute path of a page's file, for `st.switch_page` and `st.page_link`."""
    return _BY_NAME[name].path


def page_named(name: str) -> PageEntry:
    """The entry of a page."""
    return _BY_NAME[name]


def pages_for(role: Role) -> list[PageEntry]:
    """The pages this role sees, in the order of the loop."""
    return [page for page in PAGES if role in page.seen_by and page.path.is_file()]
