"""Run the real argilla-server with one SQLite file: no Elasticsearch, no Redis.

`<Argilla's python> studio/label/argilla_server/launch.py --home DIR [--port 6900]`. It runs as a file, in Argilla's own
environment, and imports nothing of the studio.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from embedded import environment, pins


def main() -> None:
    """Prepare the environment, put the replacements in, migrate, seed, serve until told to stop."""
    args = _arguments()
    pins.check_version()
    home = Path(args.home).absolute()
    environment.prepare(home, database_url=args.database_url, base_url=args.base_url, origins=args.cors_origin)
    here = environment.runs_jobs_itself()
    if here:
        os.environ["ARGILLA_REDIS_URL"] = "redis://127.0.0.1:1/0"  # read at import, never connected to
    _install(here)
    _serve(home, args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--home", required=True, help="folder of the database and the secrets")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6900)
    parser.add_argument("--base-url", default="", help="path prefix behind a proxy, such as /argilla")
    parser.add_argument("--database-url", default="", help="postgresql+asyncpg://... instead of SQLite")
    parser.add_argument("--cors-origin", action="append", help="other origin that may call the API; repeatable")
    parser.add_argument("--webhook", default="", help="URL told about new answers")
    return parser.parse_args()


def _install(jobs_here: bool) -> None:
    import argilla_server  # noqa: F401  (builds the app and registers its two engines)

    pins.check_names()
    from embedded import assignment, database, engine, jobs, speedups  # noqa: F401  (engine registers itself)

    database.use_wal()
    assignment.install()
    if os.environ.get("WHETSTONE_ARGILLA_STOCK") != "1":  # the benchmark measures both
        speedups.install()
    if jobs_here:
        jobs.install()


def _serve(home: Path, args: argparse.Namespace) -> None:
    import uvicorn
    from argilla_server import app
    from embedded import browser_policy, database, handover, studio_door

    database.migrate_and_seed(home, args.webhook)
    doors = handover.Handover(app, environment.secret_key(), args.base_url)
    doors = studio_door.StudioDoor(doors, environment.keep_secret(home / "api_key"), args.base_url)
    wrapped = browser_policy.BrowserPolicy(doors)
    uvicorn.run(wrapped, host=args.host, port=args.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
