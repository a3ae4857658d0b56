"""Writing captured calls: in bulk as they arrive, their tags, what changes later, and deletion that leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, ClassVar, TypeVar

from sqlalchemy import delete, func, insert, text, update
from sqlmodel import Session, col, select

from storage.bulk import BulkInsert
from storage.repositories.base import Repository
from storage.repositories.log_hours import LogHourRepository
from storage.tables import Example, Feedback, LogChange, LogEntry, LogPosition, LogTag, LogVector, ShadowPair
from storage.types import now

ARRIVAL = "arrival"
ADD_WORDS = (
    "INSERT INTO log_search(rowid, prompt_text, reply_text)"
    " SELECT id, prompt_text, reply_text FROM log_entry WHERE id >= :first"
)
ARRIVAL_LOCK = 0x10609
AT_ONCE = 500
LONGEST_NAME, LONGEST_VALUE = 64, 512
COUNTED = ("id", "uid", "project_id", "created_at", "model", "served_model", "status")
SUMMED = ("prompt_tokens", "completion_tokens", "cost_usd", "latency_ms")

Item = TypeVar("Item")


class LogWrites(Repository[LogEntry]):
    """What changes `log_entry` and the tables that hang on it."""

    table: ClassVar[type[LogEntry]] = LogEntry

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.sqlite = session.get_bind().dialect.name == "sqlite"

    def lock_arrival(self) -> None:
        """First in every transaction that inserts or changes calls: their ids become visible in order.

        SQLite has one writer at a time anyway.
        """
        if not self.sqlite:
            self.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ARRIVAL_LOCK})

    def insert(self, rows: list[dict[str, Any]]) -> None:
        """Insert calls with their tags; each row gets its `id`. Values left out are the column's default."""
        if not rows:
            return
        for number, row in zip(self._next_ids(len(rows)), rows, strict=True):
            row["id"] = number
        CALLS.write(self.session, map(_call_values, rows))
        if self.sqlite:  # PostgreSQL's index is on the table itself
            self.session.execute(text(ADD_WORDS), {"first": rows[0]["id"]})
        self._insert_tags((row["project_id"], row["id"], row["tags"]) for row in rows if row.get("tags"))

    def make_room_for_words(self, size: int) -> None:
        """SQLite's text index sorts so many bytes of words in memory before it writes them down: one sorted run for
        a batch instead of several, which it would have to merge. It keeps the setting.
        """
        kept = "SELECT v FROM log_search_config WHERE k = 'hashsize'"
        if self.sqlite and self.session.scalar(text(kept)) != size:
            self.session.execute(
                text("INSERT INTO log_search(log_search, rank) VALUES ('hashsize', :size)"), {"size": size}
            )

    def changed(self, ids: Collection[int], kind: str = "changed") -> None:
        """Tell those who follow the log that these calls changed; "deleted" has to be told before they go."""
        self.lock_arrival()
        for some in _parts(ids):
            found = self.session.execute(select(LogEntry.project_id, LogEntry.id).where(col(LogEntry.id).in_(some)))
            told = [
                {"project_id": project, "log_entry_id": number, "kind": kind, "at": now()} for project, number in found
            ]
            if told:
                self.session.execute(insert(LogChange), told)

    def forget_changes(self, before: datetime, most: int) -> int:
        """Drop the oldest notes of changes made before then, at most so many; how many. The newest always stays: its
        id is never given again, and a follower who is behind what is left sees that and starts anew.
        """
        oldest = select(LogChange.id, LogChange.at).order_by(col(LogChange.id)).limit(most + 1)
        found = self.session.execute(oldest).all()
        gone = [number for number, at in found[:-1] if at < before]
        if gone:
            self.session.execute(delete(LogChange).where(col(LogChange.id) <= gone[-1]))
        return len(gone)

    def merge_tags(
        self, project_id: str, ids: Collection[int], values: dict[str, str], unset: Collection[str] = ()
    ) -> int:
        """Give these calls of the project the tags, and take those named in `unset` away; how many calls there were."""
        self.lock_arrival()
        before: list[Any] = []
        for some in _parts(ids):
            query: Any = select(LogEntry.id, LogEntry.tags).where(LogEntry.project_id == project_id)
            before += self.session.exec(query.where(col(LogEntry.id).in_(some)))
        for number, tags in before:
            merged = {name: value for name, value in {**tags, **values}.items() if name not in unset}
            if merged != tags:
                self._replace_tags(project_id, number, merged)
        return len(before)

    def delete_calls(self, project_id: str, ids: Collection[int]) -> int:
        """Delete these calls of the project with all that was kept about them; how many there were.

        Roll-ups no longer count them. Examples made of them stay, without the reference.
        """
        self.lock_arrival()
        return sum(self._delete(project_id, some) for some in _parts(ids))

    def _delete(self, project_id: str, ids: Sequence[int]) -> int:
        columns = [getattr(LogEntry, name) for name in COUNTED + SUMMED]
        query: Any = select(*columns).where(LogEntry.project_id == project_id, col(LogEntry.id).in_(ids))
        rows = [dict(row) for row in self.session.execute(query).mappings()]
        if not rows:
            return 0
        gone = [row["id"] for row in rows]
        LogHourRepository(self.session).take_out(rows)
        self.changed(gone, "deleted")
        self._remember_ids(max(gone))
        self._delete_what_hangs_on(gone, [row["uid"] for row in rows])
        self.session.execute(delete(LogEntry).where(col(LogEntry.id).in_(gone)))
        self.session.expire_all()
        return len(rows)

    def _delete_what_hangs_on(self, ids: list[int], uids: list[str]) -> None:
        run = self.session.execute
        run(delete(Feedback).where(col(Feedback.log_entry_id).in_(ids)))
        run(delete(LogTag).where(col(LogTag.log_entry_id).in_(ids)))
        run(delete(LogVector).where(col(LogVector.log_entry_id).in_(ids)))
        run(delete(ShadowPair).where(col(ShadowPair.log_uid).in_(uids)))
        run(update(Example).where(col(Example.log_entry_id).in_(ids)).values(log_entry_id=None))

    def _replace_tags(self, project_id: str, number: int, tags: dict[str, Any]) -> None:
        run = self.session.execute
        run(update(LogEntry).where(col(LogEntry.id) == number).values(tags=tags))
        run(delete(LogTag).where(col(LogTag.log_entry_id) == number))
        self._insert_tags([(project_id, number, tags)])
        self.changed([number])

    def _insert_tags(self, tagged: Iterable[tuple[str, int, dict[str, Any]]]) -> None:
        TAGS.write(self.session, (row for project, number, tags in tagged for row in _tag_rows(project, number, tags)))

    def _next_ids(self, count: int) -> Iterable[int]:
        """Ids for new calls, greater than any that was ever given: who follows the log by id misses none."""
        if not self.sqlite:
            query = text("SELECT nextval(pg_get_serial_sequence('log_entry', 'id')) FROM generate_series(1, :n)")
            return self.session.scalars(query, {"n": count}).all()
        remembered = self.session.get(LogPosition, ARRIVAL)
        newest = self.session.exec(select(func.max(LogEntry.id))).one() or 0
        first = max(newest, remembered.log_entry_id if remembered else 0) + 1
        return range(first, first + count)

    def _remember_ids(self, newest: int) -> None:
        """SQLite would give the ids of deleted newest calls again."""
        row = self.session.get(LogPosition, ARRIVAL) or LogPosition(follower=ARRIVAL)
        row.log_entry_id = max(row.log_entry_id, newest)
        self.session.add(row)
        self.session.flush()


CALLS = BulkInsert(LogEntry)
TAGS = BulkInsert(LogTag, ("project_id", "name", "value", "log_entry_id"))
VALUES: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*CALLS.columns)
DEFAULTS = {name: LogEntry.model_fields[name].get_default(call_default_factory=True) for name in CALLS.columns}
"""What a column holds where nothing is said; `uid` and `created_at` are always said."""


def _call_values(row: dict[str, Any]) -> tuple[Any, ...]:
    """Every column's value, in order."""
    return VALUES(DEFAULTS | row)


def _tag_rows(project_id: str, number: int, tags: dict[str, Any]) -> Iterator[tuple[str, str, str, int]]:
    cut = {name[:LONGEST_NAME]: str(value)[:LONGEST_VALUE] for name, value in tags.items()}
    return ((project_id, name, value, number) for name, value in cut.items())


def _parts(items: Collection[Item]) -> Iterator[Sequence[Item]]:
    listed = list(items)
    return (listed[start : start + AT_ONCE] for start in range(0, len(listed), AT_ONCE))
