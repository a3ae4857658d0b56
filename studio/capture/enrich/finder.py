"""Finder: puts prompts to the templates they were made from, and finds templates that are not known yet.

Like Drain for log lines (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017): a
prompt is first tried against what is known; those that fit nowhere wait until enough share their constant parts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from studio.capture.enrich.signature import likeness, signature
from studio.capture.enrich.template import Opening, Template

SUPPORT = 5
"""Calls that must share their constant parts before they are a template."""
WAITING = 300
ALIKE = 0.12
"""Estimated Jaccard similarity from which two prompts are laid over one another."""
COMPARED = 24
LONGEST_PAUSE = 128
"""Prompts only kept, not compared, after comparing has found nothing again and again: free text has no form."""
KIN = 0.5
"""Likeness from which a new template is an edit of an old one."""
MOST_POOLS = 64

Roles = tuple[str, ...]


@dataclass
class Known:
    """A template with its key, and its signature to tell likeness by."""

    key: str
    template: Template
    mark: bytes

    @classmethod
    def of(cls, key: str, template: Template) -> Known:
        """With its signature."""
        return cls(key, template, signature(template.shown(" ")))


@dataclass
class Found:
    """A template that was not known, or a known one with wider gaps."""

    template: Template
    numbers: list[int]
    """Of the prompts that waited and fit it."""
    widens: str | None = None
    """Key of the known template whose gaps it widens."""
    edits: str | None = None
    """Key of the known template that it is an edit of."""


@dataclass(frozen=True)
class _Prompt:
    number: int
    opening: Opening
    marks: tuple[bytes, ...]
    """A signature for each message: one that is alike is enough, be the others free text."""

    def likeness(self, other: _Prompt) -> float:
        """How alike their most alike messages are."""
        return max(likeness(mine, theirs) for mine, theirs in zip(self.marks, other.marks, strict=True))


@dataclass
class _Pool:
    """Prompts of the same roles that fit no template."""

    waiting: deque[_Prompt] = field(default_factory=lambda: deque(maxlen=WAITING))
    pause: int = 0
    passed: int = 0

    def take(self, prompt: _Prompt) -> tuple[Template, list[int]] | None:
        """Keep the prompt; the template that it makes with those that wait, and their numbers."""
        self.waiting.append(prompt)
        self.passed += 1
        if len(self.waiting) < SUPPORT or self.passed <= self.pause:
            return None
        template = _common(self._kin(prompt))
        self.passed, self.pause = 0, 0 if template else min(self.pause * 2 or 1, LONGEST_PAUSE)
        return (template, self._release(template)) if template else None

    def _kin(self, mine: _Prompt) -> list[_Prompt]:
        """The prompt and those most like it."""
        scored = sorted(((mine.likeness(each), each) for each in self.waiting), key=lambda pair: -pair[0])
        return [each for score, each in scored[:COMPARED] if score >= ALIKE]

    def _release(self, template: Template) -> list[int]:
        fitting = {each.number for each in self.waiting if template.fits(each.opening)}
        self.waiting = deque((each for each in self.waiting if each.number not in fitting), maxlen=WAITING)
        return sorted(fitting)


@dataclass
class Finder:
    """The known templates of one project, most specific first, and the prompts that fit none of them."""

    known: list[Known] = field(default_factory=list)
    _pools: dict[Roles, _Pool] = field(default_factory=dict)

    def learn(self, key: str, template: Template) -> None:
        """Know a template from now on, or know it with wider gaps."""
        self.known = [each for each in self.known if each.key != key] + [Known.of(key, template)]
        self.known.sort(key=lambda each: -each.template.constant)

    def fit(self, opening: Opening) -> str | None:
        """The key of the most specific known template that the prompt fits."""
        return next((each.key for each in self.known if each.template.fits(opening)), None)

    def wait(self, number: int, opening: Opening) -> Found | None:
        """Keep a prompt that fits nowhere; a template, when it is the one that makes enough of a kind."""
        roles = tuple(role for role, _ in opening)
        if roles not in self._pools and len(self._pools) >= MOST_POOLS:
            self._pools.pop(next(iter(self._pools)))
        marks = tuple(signature(text) for _, text in opening)
        made = self._pools.setdefault(roles, _Pool()).take(_Prompt(number, opening, marks))
        return Found(*made, self._covered(made[0]), self._edited(made[0])) if made else None

    def _covered(self, template: Template) -> str | None:
        return next((each.key for each in self.known if template.covers(each.template)), None)

    def _edited(self, template: Template) -> str | None:
        mark = signature(template.shown(" "))
        scored = [(likeness(mark, each.mark), each.key) for each in self.known if each.template.roles == template.roles]
        best = max(scored, default=(0.0, ""))
        return best[1] if best[0] >= KIN else None


def _common(group: list[_Prompt]) -> Template | None:
    """Lay the group over one another, leaving out whoever would leave nothing constant."""
    if len(group) < SUPPORT:
        return None
    template, members = Template.of(group[0].opening), 1
    for each in group[1:]:
        common = template if template.fits(each.opening) else template.over(each.opening)
        if common.is_meant:
            template, members = common, members + 1
    return template if members >= SUPPORT else None
