"""How fast a base really learned here: in a rehearsal, else in an earlier run."""

from __future__ import annotations

from sqlmodel import Session

from storage.repositories.rehearsals import RehearsalRepository
from storage.repositories.training import TrainingRunRepository
from studio.train.estimate.speed import Speed


def measured_speed(session: Session, base_model_id: str, method: str, training: str, device: str) -> Speed | None:
    """The newest measured tokens per second of this base, method and way of training (lora, full …) on this device."""
    return _rehearsed(session, base_model_id, method, training, device) or _ran(
        session, base_model_id, method, training, device
    )


def _rehearsed(session: Session, base_model_id: str, method: str, training: str, device: str) -> Speed | None:
    for rehearsal in RehearsalRepository(session).finished_on(base_model_id, method):
        found = rehearsal.result
        same = found.get("device") == device and (found.get("values") or {}).get("training") == training
        if same and found.get("tokens_per_second"):
            return Speed(float(found["tokens_per_second"]), "rehearsal", found.get("write_step_s"))
    return None


def _ran(session: Session, base_model_id: str, method: str, training: str, device: str) -> Speed | None:
    for run in TrainingRunRepository(session).finished_on(base_model_id):
        same = run.summary.get("device") == device and run.method == method
        if same and (run.recipe.get("use_peft") is not False) == (training != "full") and _rate(run.summary):
            return Speed(_rate(run.summary), "earlier run")
    return None


def _rate(summary: dict[str, object]) -> float:
    found = summary.get("tokens_per_second")
    return float(found) if isinstance(found, int | float) else 0.0
