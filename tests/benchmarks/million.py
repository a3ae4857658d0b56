"""A million calls, written the way the recorder writes them; kept under /tmp from run to run."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from storage.database import Database
from storage.migrate import migrate
from storage.repositories.log_hours import LogHourRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import ApiKey, Deployment, Feedback, Project, PromptTemplate, Provider
from tests.fakes.postgres import PostgresCluster, binaries

CALLS = int(os.environ.get("STUDIO_BENCH_CALLS", "1000000"))
SMALL = 20_000
"""Calls of a second project."""
FOLDER = Path(tempfile.gettempdir()) / "whetstone-million"
START = datetime(2026, 8, 1, tzinfo=UTC)
DAYS = 90
BATCH = 10_000
SYSTEM = "Triage the ticket as JSON with category, priority, sentiment and whether a person has to look at it. " * 7
WORDS = 20_000
STATUSES, LANGUAGES = ("ok", "error", "aborted", "cut"), ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ja", "")


class Kept(PostgresCluster):
    """A server whose data stay."""

    def __init__(self, bin_folder: Path, port: int, folder: Path) -> None:
        super().__init__(bin_folder, port)
        shutil.rmtree(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        if self.user:
            shutil.chown(folder, self.user)

    def start(self) -> None:
        if not (self.folder / "data").exists():
            self._run("initdb", "-D", f"{self.folder}/data", "-U", "studio", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        options += " -c shared_buffers=1GB -c synchronous_commit=off -c max_wal_size=4GB"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "fast", "-w", "stop")


@contextmanager
def million(kind: str) -> Iterator[Database]:
    """The filled database, made by the first run."""
    with _url(kind) as url:
        database = Database(url)
        done = FOLDER / f"{kind}-{CALLS}.done"
        if not done.exists():
            migrate(url)
            fill(database)
            done.write_text("filled")
        yield database
        database.close()


@contextmanager
def _url(kind: str) -> Iterator[str]:
    FOLDER.mkdir(mode=0o755, exist_ok=True)
    if kind == "sqlite":
        path = FOLDER / f"sqlite-{CALLS}.db"
        yield f"sqlite:///{path}"
        return
    found = binaries()
    assert found, "PostgreSQL's initdb is not on this machine"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Kept(found, port, FOLDER / f"postgresql-{CALLS}")
    cluster.start()
    try:
        yield cluster.url("postgres")
    finally:
        cluster.stop()


def fill(database: Database) -> None:
    """Write the calls of both projects."""
    began = time.monotonic()
    with database.write() as session:
        projects = [Project(name="support"), Project(name="small")]
        session.add_all(projects)
        session.flush()
        for project in projects:
            session.add(
                Provider(id=f"v{project.name}", project_id=project.id, name="teacher", base_url="http://localhost")
            )
            session.add_all(
                Deployment(id=f"d{project.name}{each}", project_id=project.id, alias=f"alias-{each}")
                for each in range(6)
            )
            session.add(
                ApiKey(id=f"k{project.name}", project_id=project.id, name="app", prefix="wk", key_hash=project.id)
            )
            session.add_all(
                PromptTemplate(
                    id=f"t{project.name}{each}", project_id=project.id, fingerprint=str(each), name=f"T{each}"
                )
                for each in range(60)
            )
    maker = Maker()
    for project, calls in zip(projects, (CALLS, SMALL), strict=True):
        for first in range(0, calls, BATCH):
            rows = maker.rows(project, first, min(BATCH, calls - first), calls)
            with database.write() as session:
                entries = LogEntryRepository(session)
                entries.lock_arrival()
                entries.insert(rows)
                LogHourRepository(session).add_entries(rows)
                session.add_all(
                    Feedback(project_id=project.id, log_entry_id=row["id"], kind="thumbs", value=1.0)
                    for row in rows
                    if row["rating"]
                )
            if first % 100_000 == 0:
                print(f"  {first:,} calls after {time.monotonic() - began:.0f} s", flush=True)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE")
    print(f"filled in {time.monotonic() - began:.0f} s")


class Maker:
    """Rows with the spread that real logs have: few models, many users, words by Zipf's law."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(6)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        self.words = np.array(
            ["".join(self.random.choice(letters, self.random.integers(3, 11))) for _ in range(WORDS)], dtype=object
        )
        self.words[:6] = ["the", "refund", "invoice", "delivery", "password", "account"]
        weights = 1 / np.arange(1, WORDS + 1) ** 0.9
        self.weights = np.cumsum(weights / weights.sum())

    def rows(self, project: Project, first: int, count: int, of: int) -> list[dict[str, Any]]:
        random = self.random
        facts = zip(
            random.lognormal(6.5, 0.8, count).tolist(),
            random.lognormal(5.0, 0.6, count).tolist(),
            random.lognormal(6.0, 0.8, count).astype(int).tolist(),
            random.lognormal(4.5, 0.8, count).astype(int).tolist(),
            random.random((count, 8)).tolist(),
            self.texts(count, 48),
            self.texts(count, 24),
            strict=True,
        )
        return [self.row(project, first + at, of, *each) for at, each in enumerate(facts)]

    def texts(self, count: int, length: int) -> list[str]:
        found = self.words[np.searchsorted(self.weights, self.random.random((count, length)))]
        return [" ".join(line) for line in found]

    def row(
        self,
        project: Project,
        number: int,
        of: int,
        latency: float,
        first_token: float,
        prompt: int,
        completion: int,
        dice: list[float],
        asked: str,
        said: str,
    ) -> dict[str, Any]:
        model, status = int(12 * dice[0] ** 3), STATUSES[0 if dice[1] < 0.93 else 1 + int(dice[2] * 3)]
        user, session = int(50_000 * dice[3] ** 2), number // 5
        return {
            "uid": f"{project.name[:2]}{number:018}",
            "project_id": project.id,
            "created_at": START + timedelta(days=DAYS) * (number / of),
            "source": "gateway" if dice[4] < 0.8 else "otlp",
            "api_key_id": f"k{project.name}",
            "model": f"model-{model}",
            "served_model": f"served-{model % 7}",
            "deployment_id": f"d{project.name}{model % 6}" if model % 4 else None,
            "provider_id": f"v{project.name}",
            "status": status,
            "http_status": 200 if status == "ok" else 500,
            "stream": dice[5] < 0.5,
            "latency_ms": round(latency, 3),
            "first_token_ms": round(first_token, 3) if dice[5] < 0.5 else None,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "cost_usd": round((prompt + 4 * completion) * 2.5e-6, 9),
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": asked}],
            "reply": {"role": "assistant", "content": said},
            "finish_reason": "stop" if dice[6] < 0.95 else "length",
            "tags": {
                "env": ("prod", "staging")[int(dice[7] < 0.1)],
                "feature": f"f{int(200 * dice[2] ** 2)}",
                "ticket": f"{number}",
            },
            "prompt_text": asked,
            "reply_text": said,
            "rating": ("up", "down")[int(dice[2] < 0.3)] if dice[6] < 0.04 else None,
            "score": round(dice[2], 4) if dice[4] < 0.05 else None,
            "session_id": f"s{session}",
            "user_id": f"user-{user}",
            "trace_id": f"trace-{number // 2}",
            "language": LANGUAGES[int(10 * dice[5] ** 3)],
            "template_id": f"t{project.name}{int(60 * dice[4] ** 2)}",
            "signature": self.random.bytes(16),
            "prompt_hash": crc32(asked.encode()) if number % 50 else 4242,
        }
