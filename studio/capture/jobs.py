"""Job handlers of Capture."""

from __future__ import annotations

from typing import Any

from studio.capture.import_file import FileImport
from studio.capture.import_uploads import Uploads
from studio.jobs.context import JobContext


def import_file(context: JobContext) -> dict[str, Any]:
    """Import a file of calls; an uploaded file is removed once it is in the log."""
    work = FileImport(context)
    result = work.run()
    Uploads(context.settings.root.resolve() / "uploads").remove(work.path)
    return result


def fetch_dataset(context: JobContext) -> dict[str, Any]:
    """Fetch a split of a dataset of the Hub into an upload."""
    from studio.capture.import_hub import fetch

    return fetch(context)


def make_vectors(context: JobContext) -> dict[str, Any]:
    """Ask the project's embedding model for the vectors that are missing."""
    from studio.access.providers import Providers
    from studio.access.secrets import SecretBox
    from studio.capture.explorer.embedding import make_vectors as make

    def after_batch(made: int) -> None:
        context.leave_if_asked()
        context.report(0.5, f"{made:,} vectors made")

    providers = Providers(context.database, SecretBox(context.settings.secrets))
    return {"made": make(context.database, providers, str(context.spec["project_id"]), after_batch)}
