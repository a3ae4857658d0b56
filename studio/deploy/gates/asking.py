"""Many questions at once: eight at a time, told as they come in, stopped as soon as somebody asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from studio.deploy.client import ServerBusy

AT_ONCE = 8
TRIES, PAUSE_S = 6, 0.5
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def ask_all(
    items: Sequence[Item], ask: Callable[[Item], Answer], step: Callable[[float], None], at_once: int = AT_ONCE
) -> list[Answer]:
    """The answers in the items' order. What `step` raises ends it; questions under way are let finish."""
    with ThreadPoolExecutor(at_once, thread_name_prefix="gate") as pool:
        futures = [pool.submit(_patient, ask, item) for item in items]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                step(done / len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


def _patient(ask: Callable[[Item], Answer], item: Item) -> Answer:
    """A server that is busy is asked again a little later."""
    for attempt in range(TRIES - 1):
        try:
            return ask(item)
        except ServerBusy:
            time.sleep(PAUSE_S * 2**attempt)
    return ask(item)
