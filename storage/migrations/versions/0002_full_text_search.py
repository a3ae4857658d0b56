"""Full-text search over prompts and replies: FTS5 kept by triggers on SQLite, a GIN index on PostgreSQL."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE VIRTUAL TABLE log_search USING fts5(prompt_text, reply_text, content='log_entry', content_rowid='id',"
    " tokenize='unicode61 remove_diacritics 2')",
    "CREATE TRIGGER log_search_insert AFTER INSERT ON log_entry BEGIN"
    " INSERT INTO log_search(rowid, prompt_text, reply_text) VALUES (new.id, new.prompt_text, new.reply_text); END",
    "CREATE TRIGGER log_search_delete AFTER DELETE ON log_entry BEGIN"
    " INSERT INTO log_search(log_search, rowid, prompt_text, reply_text)"
    " VALUES ('delete', old.id, old.prompt_text, old.reply_text); END",
    "CREATE TRIGGER log_search_update AFTER UPDATE OF prompt_text, reply_text ON log_entry BEGIN"
    " INSERT INTO log_search(log_search, rowid, prompt_text, reply_text)"
    " VALUES ('delete', old.id, old.prompt_text, old.reply_text);"
    " INSERT INTO log_search(rowid, prompt_text, reply_text) VALUES (new.id, new.prompt_text, new.reply_text); END",
    "INSERT INTO log_search(log_search) VALUES ('rebuild')",
)
POSTGRES = (
    "CREATE INDEX ix_search_log_entry ON log_entry USING gin (to_tsvector('simple', prompt_text || ' ' || reply_text))",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER log_search_{name}")
        op.execute("DROP TABLE log_search")
    else:
        op.execute("DROP INDEX ix_search_log_entry")
