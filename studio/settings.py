"""Every setting of the studio, read once from `STUDIO_*` environment variables. Documented in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MOUNTED_SECRETS = Path("/run/secrets")


class Settings(BaseSettings):
    """Where the studio keeps its data and which ports its processes use."""

    model_config = SettingsConfigDict(
        env_prefix="STUDIO_",
        frozen=True,
        extra="ignore",
        secrets_dir=MOUNTED_SECRETS if MOUNTED_SECRETS.is_dir() else None,
    )

    home: Path = Field(Path(".whetstone"), description="Folder of everything the studio writes.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite in `home`.")
    artifacts_url: str = Field("", description="fsspec URL of the artifact store; empty means a folder in `home`.")
    host: str = Field("127.0.0.1", description="Address the web app and the gateway bind to.")
    web_port: int = Field(8501, description="Port of the web app.")
    gateway_port: int = Field(8600, description="Port of the recording gateway.")
    web_address: str = Field("", description="Public base URL of the web app, when it is not this host's port.")
    gateway_processes: int = Field(
        1, ge=1, le=64, description="Gateway processes that share its port, each on a core of its own."
    )
    gateway_address: str = Field("", description="Base URL of the gateway for other processes and for clients.")
    argilla_port: int = Field(6900, description="Port of the embedded Argilla server.")
    sample_port: int = Field(8650, description="Port of the sample project's own model server; 0 turns it off.")
    sample_calls: int = Field(2100, description="Calls that loading the sample project sends.")
    argilla_url: str = Field("", description="URL of an external Argilla; empty starts the embedded one.")
    argilla_api_key: str = Field("", description="Owner API key of an external Argilla.")
    argilla_python: Path = Field(
        Path(".venv-argilla/bin/python"), description="Python of the environment that holds argilla-server."
    )
    worker_slots: int = Field(2, description="Jobs that may run at once on this host.")
    worker_gpus: int = Field(0, description="GPUs the worker may hand to jobs.")
    tonight: str = Field(
        "22:00",
        pattern=r"^([01]?\d|2[0-3]):[0-5]\d$",
        description="Local time at which jobs that were put off until tonight may start.",
    )
    warm_minutes: float = Field(
        10.0,
        ge=0,
        description="Minutes a process with the trainers loaded waits for the next training job; 0 turns it off.",
    )
    keep_runs_days: float = Field(
        30.0, ge=0, description="Days after which an ended job's working files are removed; 0 keeps them for ever."
    )
    price_per_hour: float = Field(0.0, description="US dollars an hour of this machine costs; 0 shows no cost of runs.")
    mlflow_url: str = Field("", description="MLflow server that runs may be mirrored to; empty keeps them in `home`.")
    wandb_api_key: str = Field(
        "", description="W&B key for runs that are mirrored there; without one they stay offline in `home`."
    )
    journal_fsync: Literal["never", "interval", "always"] = Field(
        "interval",
        description="When the disk must hold what was recorded: never, interval (within 200 ms) or always (at once).",
    )
    journal_max_mb: int = Field(
        4096,
        ge=0,
        description="Megabytes that may wait in the journal; beyond, calls are answered unrecorded. 0 sets no limit.",
    )
    journal_reserve_mb: int = Field(
        256, ge=0, description="Megabytes of free disk that the journal leaves to the database."
    )
    journal_segment_mb: int = Field(64, ge=1, description="Megabytes after which a journal segment is finished.")
    journal_segment_minutes: float = Field(
        10.0, gt=0, description="Minutes after which a journal segment is finished, on an idle gateway too."
    )
    journal_keep_hours: float = Field(
        0.0, ge=0, description="Hours that drained journal segments are kept for a replay; 0 deletes them at once."
    )
    max_body_mb: int = Field(16, description="Largest request body the gateway accepts, in megabytes.")
    upstream_timeout_s: float = Field(120.0, description="Seconds to wait for an upstream's first byte.")
    cookie_secure: bool = Field(False, description="Mark the sign-in cookie Secure (set it behind TLS).")

    @property
    def root(self) -> Path:
        """The data folder as an absolute path."""
        return self.home.absolute()

    def environment(self) -> dict[str, str]:
        """The STUDIO_* variables that make a child process see these very settings, whatever folder it runs in."""
        absolute: dict[str, object] = {"home": self.root, "argilla_python": self.argilla_python.absolute()}
        absolute["database_url"], absolute["artifacts_url"] = self.database, self.artifacts
        return {f"STUDIO_{name.upper()}": str(value) for name, value in {**self.model_dump(), **absolute}.items()}

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.root / 'studio.db'}"

    @property
    def artifacts(self) -> str:
        """fsspec URL of the artifact store."""
        return self.artifacts_url or f"file://{self.root / 'artifacts'}"

    @property
    def runs(self) -> Path:
        """Folder of job working directories (must be on a local disk: the locks are flocks)."""
        return self.root / "runs"

    @property
    def journal(self) -> Path:
        """Folder of the gateway's journal segments."""
        return self.root / "journal"

    @property
    def secrets(self) -> Path:
        """Folder of generated keys, readable by this user only."""
        return self.root / "secrets"

    @property
    def argilla_home(self) -> Path:
        """Folder of the embedded Argilla server."""
        return self.root / "argilla"

    @property
    def sync_hint(self) -> Path:
        """File that the gateway touches when labeling answers changed, and the worker looks at."""
        return self.root / "hints" / "argilla"

    @property
    def gateway_url(self) -> str:
        """Base URL of the gateway for the studio's other processes."""
        return self.gateway_address or f"http://127.0.0.1:{self.gateway_port}"

    @property
    def web_url(self) -> str:
        """Base URL of the web app, as printed in sign-in links."""
        return self.web_address or f"http://127.0.0.1:{self.web_port}"

    @property
    def sample_url(self) -> str:
        """Base URL of the sample project's model server."""
        return f"http://127.0.0.1:{self.sample_port}"
