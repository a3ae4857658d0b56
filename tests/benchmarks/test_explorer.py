"""The explorer at a million calls on SQLite and PostgreSQL: server time of every question, cold and warm."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.database import Database
from storage.repositories.log_writes import LogWrites
from storage.tables import Project
from studio.capture.explorer.answers import SORTS, Sort
from studio.capture.explorer.facets import FACETS
from studio.capture.explorer.service import Explorer
from studio.capture.filters import LogFilter
from tests.benchmarks.million import CALLS, DAYS, FOLDER, START, million

ROUNDS = int(os.environ.get("STUDIO_BENCH_ROUNDS", "20"))
GOAL_MS = 100

Ask = Callable[[random.Random], Any]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.timeout(7200)
def test_every_question(kind: str) -> None:
    with million(kind) as database:
        folder = FOLDER / f"index-{kind}-{CALLS}"
        explorer = built(database, folder)
        project = database_project(database)
        explorer.close()
        explorer = Explorer(database, folder)
        rows = [(name, *timed(ask)) for name, ask in questions(explorer, project).items()]
        show(kind, rows)
        print(f"  resident memory {psutil.Process().memory_info().rss / 1e6:.0f} MB, load {os.getloadavg()}")
        catch_up(database, explorer, project)
        explorer.close()
    assert len(rows) > 40


def built(database: Database, folder: Path) -> Explorer:
    """An index made from nothing."""
    explorer = Explorer(database, folder)
    explorer.follower.reset()
    began, memory = time.monotonic(), psutil.Process().memory_info().rss
    while not explorer.readiness().ready:
        time.sleep(0.2)
    size = sum(each.stat().st_size for each in folder.glob("explorer.duckdb*"))
    more = psutil.Process().memory_info().rss - memory
    print(f"\n{database.engine.dialect.name}: index of {CALLS:,} calls built in {time.monotonic() - began:.0f} s,")
    print(f"  {size / 1e6:.0f} MB on disk, {more / 1e6:.0f} MB more memory; load {os.getloadavg()}")
    return explorer


def database_project(database: Database) -> Project:
    with database.read() as session:
        found: Project = session.query(Project).filter_by(name="support").one()  # type: ignore[attr-defined]
        return found


def questions(explorer: Explorer, project: Project) -> dict[str, Ask]:
    def where(**conditions: Any) -> LogFilter:
        return LogFilter(project.id, **conditions)

    filters: dict[str, Callable[[random.Random], LogFilter]] = {
        "none": lambda dice: where(),
        "model": lambda dice: where(models=(f"model-{dice.randrange(12)}",)),
        "served model": lambda dice: where(served_models=(f"served-{dice.randrange(7)}",)),
        "deployment": lambda dice: where(deployments=(f"dsupport{dice.randrange(6)}",)),
        "status": lambda dice: where(statuses=(dice.choice(["ok", "error", "aborted"]),)),
        "source": lambda dice: where(source=dice.choice(["gateway", "otlp"])),
        "feedback": lambda dice: where(has=("feedback",)),
        "rating": lambda dice: where(ratings=(dice.choice(["up", "down", "none"]),)),
        "score": lambda dice: where(score=(dice.random(), None)),
        "latency": lambda dice: where(latency_ms=(dice.choice([0, 500, 5000]), None)),
        "first token": lambda dice: where(first_token_ms=(100.0, 100.0 + 100 * dice.random())),
        "cost": lambda dice: where(cost_usd=(dice.random() / 500, None)),
        "tokens": lambda dice: where(prompt_tokens=(1000, 3000), completion_tokens=(None, 200)),
        "language": lambda dice: where(languages=(dice.choice(["en", "de", "ja"]),)),
        "template": lambda dice: where(templates=(f"tsupport{dice.randrange(60)}",)),
        "time": lambda dice: since(where, dice),
        "tag": lambda dice: where(tags=(("env", dice.choice(["prod", "staging"])),)),
        "rare tag": lambda dice: where(tags=(("ticket", str(dice.randrange(CALLS))),)),
        "two tags": lambda dice: where(tags=(("env", "prod"), ("feature", f"f{dice.randrange(200)}"))),
        "user": lambda dice: where(users=(f"user-{dice.randrange(50_000)}",)),
        "session": lambda dice: where(sessions=(f"s{dice.randrange(CALLS // 5)}",)),
        "trace": lambda dice: where(traces=(f"trace-{dice.randrange(CALLS // 2)}",)),
        "five at once": lambda dice: where(
            models=("model-0", "model-1"),
            statuses=("ok",),
            languages=("en",),
            latency_ms=(500, None),
            tags=(("env", "prod"),),
        ),
        "search: common word": lambda dice: where(text=dice.choice(["the ", "refund ", "invoice "])),
        "search: rare word": lambda dice: where(text=f"{dice.choice(WORDS[2000:])} "),
        "search: no such word": lambda dice: where(text="xyzzyx "),
        "search: two words": lambda dice: where(text=f"refund {dice.choice(WORDS[:2000])} "),
        "search: phrase": lambda dice: where(text=f'"{dice.choice(WORDS[:6])} {dice.choice(WORDS[:6])}"'),
        "search: prefix": lambda dice: where(text=dice.choice(WORDS[:4000])[:3]),
        "search: word, model": lambda dice: where(text="refund ", models=(f"model-{dice.randrange(12)}",)),
        "search: word, user": lambda dice: where(text="refund ", users=(f"user-{dice.randrange(50_000)}",)),
        "search: word, rating": lambda dice: where(text="delivery ", ratings=("down",)),
    }
    asked: dict[str, Ask] = {}
    for name, made in filters.items():
        asked[f"page, {name}"] = lambda dice, made=made: explorer.page(made(dice))
        asked[f"count, {name}"] = lambda dice, made=made: explorer.count(made(dice))
        asked[f"chart, {name}"] = lambda dice, made=made: explorer.series(made(dice))
        asked[f"facets, {name}"] = lambda dice, made=made: explorer.facets(made(dice))
    for by in SORTS:
        for descending in (True, False):
            sort = Sort(by, descending)
            asked[f"sort, {by} {'down' if descending else 'up'}"] = lambda dice, sort=sort: explorer.page(where(), sort)
            asked[f"sort, {by} {'down' if descending else 'up'}, filtered, page 2"] = lambda dice, sort=sort: second(
                explorer, filters["model"](dice), sort
            )
    for facet in (*FACETS, "user", "session", "tag:env", "tag:feature", "tag:ticket"):
        asked[f"facet, {facet}"] = lambda dice, facet=facet: explorer.facets(filters["status"](dice), (facet,))
    asked["tag names"] = lambda dice: explorer.tag_names(where())
    uid = lambda dice: f"su{dice.randrange(CALLS):018}"  # noqa: E731
    asked["similar"] = lambda dice: explorer.similar(project.id, uid(dice))
    asked["duplicates"] = lambda dice: explorer.duplicates(project.id, uid(dice))
    asked["related"] = lambda dice: explorer.related(explorer.logs.entry(project.id, uid(dice)))
    return asked


def since(where: Callable[..., LogFilter], dice: random.Random) -> LogFilter:
    begin = START + timedelta(days=dice.random() * (DAYS - 1))
    return where(since=begin, until=begin + timedelta(days=dice.choice([0.1, 1, 7, 30])))


def second(explorer: Explorer, criteria: LogFilter, sort: Sort) -> Any:
    """The page after the first one; only it is timed."""
    return explorer.page(criteria, sort, "500:500000" if sort.by != "created_at" else "1788000000000000:500000")


def timed(ask: Ask) -> tuple[float, list[float]]:
    dice, found = random.Random(1), []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        ask(dice)
        found.append((time.perf_counter() - began) * 1000)
    return found[0], found[1:]


def show(kind: str, rows: list[tuple[str, float, list[float]]]) -> None:
    print(f"\n{kind}, {CALLS:,} calls, {ROUNDS} rounds; ms of server time: first, p50, p95, max")
    for name, first, times in rows:
        p95 = statistics.quantiles(times, n=20, method="inclusive")[18]
        over = "  OVER" if p95 > GOAL_MS else ""
        print(f"  {name:45} {first:8.1f} {statistics.median(times):8.1f} {p95:8.1f} {max(times):8.1f}{over}")


def catch_up(database: Database, explorer: Explorer, project: Project) -> None:
    """Ten thousand calls change; one at a time is seen by the next question."""
    everything = LogFilter(project.id)
    before = explorer.count(everything)
    times = []
    for number in range(ROUNDS):
        with database.write() as session:
            LogWrites(session).changed([1000 + number])
        began = time.perf_counter()
        explorer.count(everything)
        times.append((time.perf_counter() - began) * 1000)
    print(f"  a change, seen by the next count: p50 {statistics.median(times):.1f} ms, max {max(times):.1f} ms")
    with database.write() as session:
        LogWrites(session).changed(range(200_000, 210_000))
    began = time.perf_counter()
    explorer.count(everything)
    while explorer.follower._working():
        time.sleep(0.01)
    print(f"  10,000 changes caught up in {time.perf_counter() - began:.2f} s")
    assert explorer.count(everything) == before


def _words() -> list[str]:
    from tests.benchmarks.million import Maker

    return [str(word) for word in Maker().words]


WORDS = _words()
