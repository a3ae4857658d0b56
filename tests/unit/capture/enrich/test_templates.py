"""Prompt templates: constant parts are found, free text is none, an edit is known as an edit."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from storage.database import Database
from storage.tables import LogChange, LogEntry, Project, PromptTemplate
from studio.capture.enrich.enricher import BATCH, Enricher
from studio.capture.enrich.finder import SUPPORT, Finder
from studio.capture.enrich.skeleton import Skeleton
from studio.capture.enrich.template import Template, opening_of
from studio.capture.templates import PromptTemplates

SAID = "refund order broken kettle late parcel invoice charge card password login email phone please when how"
WORDS = SAID.split()
Messages = list[dict[str, Any]]


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def free(chance: random.Random) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randrange(3, 60)))


def support(chance: random.Random, rule: str = "") -> Messages:
    name = f"{chance.choice(['Ann', 'Bob', 'Cy'])} {chance.choice(['Li', 'Ng', 'Po'])}"
    day = f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 28):02}"
    system = f"You are a support agent for Acme. Today is {day}. Be brief.{rule}\nAnswer as JSON."
    return [
        said("system", system),
        said("user", f"Customer: {name}\nTicket:\n{free(chance)}\n\nClassify the ticket above."),
    ]


def triage(chance: random.Random) -> Messages:
    return [said("system", "Triage the ticket as JSON."), said("user", free(chance))]


def bare(chance: random.Random) -> Messages:
    return [said("user", free(chance))]


def feed(finder: Finder, prompts: list[Messages]) -> list[str | None]:
    """The template of each prompt; new ones are named t0, t1, ..."""
    keys: list[str | None] = []
    for number, messages in enumerate(prompts):
        opening = opening_of(messages)
        key = finder.fit(opening)
        if key is None and (found := finder.wait(number, opening)):
            key = found.widens or f"t{len(finder.known)}"
            finder.learn(key, found.template)
        keys.append(key)
    return keys


def test_the_constant_parts_of_a_filled_in_prompt_are_found() -> None:
    chance, finder = random.Random(1), Finder()
    feed(finder, [support(chance) for _ in range(40)])
    (known,) = finder.known
    system, user = (skeleton.parts for skeleton in known.template.skeletons)
    assert system == ("You are a support agent for Acme. Today is 2026-", None, ". Be brief.\nAnswer as JSON.")
    assert user == ("Customer: ", None, "\nTicket:\n", None, "\n\nClassify the ticket above.")


def test_free_text_has_no_template() -> None:
    chance, finder = random.Random(2), Finder()
    assert set(feed(finder, [bare(chance) for _ in range(200)])) == {None}


def test_features_that_share_a_project_are_told_apart() -> None:
    chance, finder = random.Random(3), Finder()
    makers: list[Callable[[random.Random], Messages]] = [support, triage, bare]
    kinds = [chance.randrange(3) for _ in range(600)]
    keys = feed(finder, [makers[kind](chance) for kind in kinds])
    settled = [(kind, key) for kind, key in zip(kinds, keys, strict=True)][100:]
    assert len({key for kind, key in settled if kind == 0}) == 1 and len({k for kind, k in settled if kind == 1}) == 1
    assert {key for kind, key in settled if kind == 2} == {None}
    assert len(finder.known) == 2


def test_an_edited_prompt_is_a_new_template_that_names_the_old_one() -> None:
    chance, finder = random.Random(4), Finder()
    feed(finder, [support(chance) for _ in range(50)])
    finder.learn("old", finder.known[0].template)
    finder.known = [each for each in finder.known if each.key == "old"]
    edited = [support(chance, " Never promise refunds.") for _ in range(SUPPORT * 3)]
    found = [made for number, messages in enumerate(edited) if (made := finder.wait(number, opening_of(messages)))]
    assert [made.edits for made in found][:1] == ["old"] and found[0].widens is None


def test_what_was_equal_by_chance_widens_the_template_that_took_it_for_constant() -> None:
    finder = Finder()
    first = [[said("system", "Answer in one word, please."), said("user", f"About kettles: {n}")] for n in range(10)]
    feed(finder, first)
    (narrow,) = finder.known
    others = [[said("system", "Answer in one word, please."), said("user", f"{n} {n}")] for n in range(10)]
    keys = feed(finder, others)
    assert keys[-1] == narrow.key and len(finder.known) == 1


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_skeleton_over_two_texts_fits_both(one: str, other: str) -> None:
    skeleton = Skeleton.of(one).over(other)
    assert skeleton.fits(one) and skeleton.fits(other)


@given(st.lists(st.text(alphabet="ab \n:", max_size=60), min_size=2, max_size=6))
def test_a_skeleton_over_many_texts_fits_all_and_only_widens(texts: list[str]) -> None:
    skeleton = Skeleton.of(texts[0])
    for number, text in enumerate(texts[1:], 1):
        wider = skeleton.over(text)
        assert all(wider.fits(each) for each in texts[: number + 1])
        assert wider.constant <= skeleton.constant
        skeleton = wider


@given(st.text(max_size=80), st.text(max_size=80))
def test_plain_values_are_the_template(system: str, user: str) -> None:
    template = Template.of(opening_of([said("system", system), said("user", user)]))
    assert Template.read(template.plain()) == template


def entry(project: Project, messages: Messages) -> LogEntry:
    return LogEntry(project_id=project.id, messages=messages, prompt_text=messages[-1]["content"])


@pytest.fixture
def enriched(database: Database, project: Project) -> Enricher:
    chance = random.Random(5)
    with database.write() as session:
        for number in range(BATCH + 20):
            session.add(entry(project, (support if number % 2 else bare)(chance)))
    enricher = Enricher(database)
    while enricher.once():
        pass
    return enricher


def test_every_call_gets_its_template_language_and_signature(
    enriched: Enricher, database: Database, project: Project
) -> None:
    with database.read() as session:
        rows = session.exec(select(LogEntry).order_by(LogEntry.id)).all()  # type: ignore[arg-type]
        changes = session.exec(select(LogChange.log_entry_id)).all()
        (template,) = session.exec(select(PromptTemplate)).all()
    filled = [row for row in rows if len(row.messages) == 2]
    assert {row.template_id for row in filled} == {template.id}
    assert {row.template_id for row in rows if len(row.messages) == 1} == {None}
    assert template.calls == len(filled)
    assert all(row.signature and len(row.signature) == 16 for row in rows)
    assert {row.id for row in rows} <= set(changes)


def test_a_restart_goes_on_with_the_templates_it_knew(enriched: Enricher, database: Database, project: Project) -> None:
    chance = random.Random(6)
    with database.write() as session:
        session.add(entry(project, support(chance)))
    assert Enricher(database).once() == 1
    with database.read() as session:
        assert len(session.exec(select(PromptTemplate)).all()) == 1
        newest = session.exec(select(LogEntry).order_by(LogEntry.id.desc())).first()  # type: ignore[union-attr]
        assert newest is not None and newest.template_id


def test_two_enrichers_never_count_a_call_twice(database: Database, project: Project) -> None:
    chance = random.Random(7)
    with database.write() as session:
        session.add_all([entry(project, triage(chance)) for _ in range(20)])
    one, other = Enricher(database), Enricher(database)
    assert one.once() == 20 and other.once() == 0
    (row,) = PromptTemplates(database).all(project.id)
    assert row.calls == 20


def test_a_changed_prompt_shows_what_changed(database: Database, project: Project) -> None:
    chance = random.Random(8)
    with database.write() as session:
        session.add_all([entry(project, support(chance)) for _ in range(30)])
        session.flush()
        session.add_all([entry(project, support(chance, " Never promise refunds.")) for _ in range(30)])
    Enricher(database).once()
    templates = PromptTemplates(database)
    new = next(row for row in templates.all(project.id) if row.previous_id)
    lines = templates.diff(new.id)
    assert any(line.startswith("+ ") and "Never promise refunds." in line for line in lines)
    assert any(line.startswith("- ") and line.endswith("Be brief.") for line in lines)
    assert "⟨…⟩" in new.text and new.constant > 80
