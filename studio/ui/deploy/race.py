"""Two answers at once: streams read in threads of their own, told as one growing picture."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from studio.errors import StudioError

Streams = Mapping[str, Callable[[], Iterator[str]]]
DRAWN_EVERY_S = 0.08


@dataclass(frozen=True)
class Side:
    """One answer so far."""

    text: str = ""
    first_s: float | None = None
    """Until its first piece."""
    total_s: float | None = None
    """Until its end; None while it goes on."""
    error: str = ""


@dataclass(frozen=True)
class _Heard:
    name: str
    at_s: float
    piece: str = ""
    ended: bool = False
    error: Exception | None = None


def race(streams: Streams) -> Iterator[dict[str, Side]]:
    """Start all streams and yield where they are, until every one has ended; leaving early lets them go."""
    heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()
    left = threading.Event()
    for name, start in streams.items():
        threading.Thread(target=_listen, args=(name, start, heard, left), daemon=True).start()
    sides = dict.fromkeys(streams, Side())
    try:
        while any(side.total_s is None for side in sides.values()):
            for each in _taken(heard):
                sides[each.name] = _after(sides[each.name], each)
            yield dict(sides)
    finally:
        left.set()


def _listen(
    name: str, start: Callable[[], Iterator[str]], heard: queue.SimpleQueue[_Heard], left: threading.Event
) -> None:
    began = time.perf_counter()
    error: Exception | None = None
    try:
        for piece in start():
            heard.put(_Heard(name, time.perf_counter() - began, piece))
            if left.is_set():
                return
    except Exception as raised:  # told on its side, or raised where the page can show it
        error = raised
    heard.put(_Heard(name, time.perf_counter() - began, ended=True, error=error))


def _taken(heard: queue.SimpleQueue[_Heard]) -> list[_Heard]:
    """What was said since the last look; waits for something."""
    found = [heard.get()]
    time.sleep(DRAWN_EVERY_S)
    while not heard.empty():
        found.append(heard.get())
    return found


def _after(side: Side, heard: _Heard) -> Side:
    if heard.error is not None and not isinstance(heard.error, StudioError):
        raise heard.error
    if heard.ended:
        return replace(side, total_s=heard.at_s, error=heard.error.message if heard.error else "")
    first = heard.at_s if side.first_s is None else side.first_s
    return replace(side, text=side.text + heard.piece, first_s=first)
