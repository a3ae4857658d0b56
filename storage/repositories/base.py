"""What every repository can do: fetch by id, add, list by project."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import func
from sqlmodel import Session, SQLModel, select

Row = TypeVar("Row", bound=SQLModel)


class Repository(Generic[Row]):
    """Named queries over one table; subclasses set `table` and add their own."""

    table: ClassVar[type[SQLModel]]

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, key: Any) -> Row | None:
        """The row with this primary key, or None."""
        return self.session.get(self.table, key)  # type: ignore[return-value]

    def add(self, row: Row) -> Row:
        """Insert the row and give it its defaults and keys."""
        self.session.add(row)
        self.session.flush()
        return row

    def find(self, **equal: Any) -> list[Row]:
        """Rows whose columns equal the given values, oldest first."""
        query = select(self.table).filter_by(**equal)
        columns: Any = self.table.__table__.columns  # type: ignore[attr-defined]
        order = columns["created_at"] if "created_at" in columns else next(iter(columns))
        return list(self.session.exec(query.order_by(order)))  # type: ignore[arg-type]

    def find_one(self, **equal: Any) -> Row | None:
        """The first row whose columns equal the given values, or None."""
        return self.session.exec(select(self.table).filter_by(**equal)).first()  # type: ignore[return-value]

    def count(self, **equal: Any) -> int:
        """How many rows have these values."""
        return self.session.exec(select(func.count()).select_from(self.table).filter_by(**equal)).one()
