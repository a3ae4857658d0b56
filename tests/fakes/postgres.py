"""A real PostgreSQL server for the tests, in a temporary folder, when its binaries are on this machine."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

import psycopg

SERVICE_USERS = ("postgres", "nobody")


def binaries() -> Path | None:
    """The folder that holds initdb, or None."""
    found = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).parent if found else installed[-1].parent if installed else None


class PostgresCluster:
    """One server on one port; cheap databases copied from a migrated template."""

    def __init__(self, bin_folder: Path, port: int) -> None:
        self.bin, self.port = bin_folder, port
        self.folder = Path(tempfile.mkdtemp(prefix="studio-pg-"))
        self.user = _service_user()
        if self.user:
            shutil.chown(self.folder, self.user)

    def start(self) -> None:
        """Make the cluster and wait until it answers. Durability is off: only the tests' own crashes matter."""
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "studio", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.resume()

    def crash(self) -> None:
        """End the server at once, as a power cut would."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def resume(self) -> None:
        """Start the server on what is there."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop at once and remove everything."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """URL of one database, in the plain form that hosting services hand out."""
        return f"postgresql://studio@127.0.0.1:{self.port}/{name}"

    def new_database(self, template: str = "template1") -> str:
        """Make a database and return its name."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return name

    def _run(self, program: str, *arguments: str) -> None:
        argv = [str(self.bin / program), *arguments]
        prefix = ["runuser", "-u", self.user, "--"] if self.user else []
        done = subprocess.run([*prefix, *argv], capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)


def _service_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in SERVICE_USERS if name in known)
