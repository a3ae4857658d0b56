"""From start to result: keeps the handle, looks as often as the company allows, stops when somebody presses Cancel."""

from __future__ import annotations

import time
from collections.abc import Callable

from studio.errors import InvalidInput, Unavailable
from studio.jobs.context import JobCancelled
from studio.train.hosted.http import Busy
from studio.train.hosted.port import HostedResult, HostedSpec, HostedStatus, HostedTrainer

LOOK_EVERY_S, TICK_S = 20.0, 1.0
PATIENCE_S = 3600.0
"""How long the company may be out of reach while it trains: the run goes on there whether we can see it or not."""

Report = Callable[[float, str], None]


def carry_out(
    trainer: HostedTrainer,
    spec: HostedSpec,
    handle: str = "",
    *,
    on_handle: Callable[[str], None],
    report: Report = lambda _done, _text: None,
    stop_asked: Callable[[], bool] = lambda: False,
    look_every_s: float = LOOK_EVERY_S,
    sleep: Callable[[float], None] = time.sleep,
) -> HostedResult:
    """Start the run (or take it up by its handle), wait for its end, and say what came out.

    Raises JobCancelled after a cancel, InvalidInput with the company's reason when the run failed there. Killed at any
    moment it may be called again: the run is found by its handle, or by our id at the company.
    """
    if not handle:
        report(0.02, f"Sending the rows to {trainer.label}")
        handle = trainer.start(spec)
        on_handle(handle)
    status = _waited(trainer, handle, report, stop_asked, look_every_s, sleep)
    if status.state == "failed":
        raise InvalidInput(f"{trainer.label} ended the run: {status.reason or 'it gave no reason'}")
    if status.state == "cancelled":
        raise InvalidInput(f"The run was stopped at {trainer.label}, not by the studio. Start it again if you want it.")
    return trainer.result(handle)


def _waited(
    trainer: HostedTrainer,
    handle: str,
    report: Report,
    stop_asked: Callable[[], bool],
    look_every_s: float,
    sleep: Callable[[float], None],
) -> HostedStatus:
    unseen = 0.0
    while True:
        _leave_if_asked(trainer, handle, stop_asked)
        status, pause = _looked(trainer, handle, look_every_s)
        unseen = 0.0 if status else unseen + pause
        if unseen > PATIENCE_S:
            raise Unavailable(f"{trainer.label} could not be reached for an hour. Resume the run to look again.")
        if status and status.ended:
            return status
        if status:
            report(0.05 + 0.9 * (status.progress or 0.0), _told(trainer, status))
        _pause(trainer, handle, pause, stop_asked, sleep)


def _looked(trainer: HostedTrainer, handle: str, look_every_s: float) -> tuple[HostedStatus | None, float]:
    """The status, and how long to wait before the next look; None while the company is busy or out of reach."""
    try:
        status = trainer.status(handle)
    except Busy as error:
        return None, max(look_every_s, error.wait_s)
    except Unavailable:
        return None, look_every_s
    return status, max(look_every_s, status.wait_s or 0.0)


def _pause(
    trainer: HostedTrainer,
    handle: str,
    seconds: float,
    stop_asked: Callable[[], bool],
    sleep: Callable[[float], None],
) -> None:
    """Sleep in short naps, so that a cancel does not wait."""
    while seconds > 0:
        sleep(min(seconds, TICK_S))
        seconds -= TICK_S
        _leave_if_asked(trainer, handle, stop_asked)


def _leave_if_asked(trainer: HostedTrainer, handle: str, stop_asked: Callable[[], bool]) -> None:
    if stop_asked():
        trainer.cancel(handle)
        raise JobCancelled()


def _told(trainer: HostedTrainer, status: HostedStatus) -> str:
    words = {"queued": "waits for its turn", "running": "trains"}
    return f"{trainer.label} {words.get(status.state, 'does not say what it is doing')}"
