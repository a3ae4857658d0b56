"""A helper process that cleans big records: a search in megabytes keeps Python's lock, and every caller would wait.

The gateway starts it at the first big record (`python -m studio.capture.privacy.beside SECRETS`). It gets each record
with the policy that is in force, cleans one at a time, and ends with the gateway.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.policy import Policy
from studio.capture.privacy.redactor import Redactor
from studio.capture.privacy.scrub import Seal
from studio.capture.privacy.sealing import sealing
from studio.capture.record import Record

LONGEST_S, SLOWEST = 60.0, 50_000
"""What cleaning may take: a minute, and a second more for so many bytes. Then the helper is taken to hang."""
NICE = 5
"""Answers go before cleaning where processors are scarce."""


class Gone(Exception):
    """The record could not be cleaned beside: the helper has ended, hangs, or tripped over it."""


class Beside:
    """Cleans records in a process of its own, one after the other; one that ends is started again for the next."""

    def __init__(self, secrets: Path) -> None:
        self.command = [sys.executable, "-m", "studio.capture.privacy.beside", str(secrets)]
        self.process: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1, "cleaning")
        self._lock = threading.Lock()
        self._closed = False

    def clean(self, record: Record, policy: Policy) -> Future[bytes | None]:
        """The record as it may be written, None where nothing may be. The result raises Gone."""
        return self._thread.submit(self._clean, record, policy)

    def refuse(self) -> None:
        """End the helper, whatever it is doing; what is asked and not answered raises Gone."""
        with self._lock:
            self._closed = True
            if self.process is not None:
                self.process.kill()

    def close(self) -> None:
        """Leave no process and no thread behind."""
        self.refuse()
        self._thread.shutdown()
        self._end()

    def _clean(self, record: Record, policy: Policy) -> bytes | None:
        try:
            process = self._running()
            until = threading.Timer(LONGEST_S + (len(record.request) + len(record.reply)) / SLOWEST, process.kill)
            until.start()
            try:
                payload, fault = _asked(process, record, policy)
            finally:
                until.cancel()
        except (OSError, EOFError, pickle.PickleError) as error:
            self._end()
            raise Gone("The process that cleans big records has ended.") from error
        if fault:
            raise Gone(fault)
        return payload

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise EOFError
            if self.process is None:
                self.process = subprocess.Popen(
                    self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
                )
            return self.process

    def _end(self) -> None:
        with self._lock:
            process, self.process = self.process, None
        if process is not None:
            process.kill()
            with suppress(OSError):  # what was not sent yet
                process.communicate()


def _asked(process: subprocess.Popen[bytes], record: Record, policy: Policy) -> tuple[bytes | None, str]:
    to, back = process.stdin, process.stdout
    assert to and back
    pickle.dump((record, policy), to, pickle.HIGHEST_PROTOCOL)
    to.flush()
    payload, fault = pickle.load(back)  # noqa: S301 - our own child
    return payload, fault


def main(secrets: Path) -> None:
    """Clean what comes on stdin until that ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the gateway decides when it has what it needs
    os.nice(NICE)
    redactor, seal = Redactor.of(secrets), sealing(secrets)
    with suppress(EOFError, BrokenPipeError):
        while True:
            record, policy = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent
            pickle.dump(_cleaned(_cleaner(redactor, policy, seal), record), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.flush()


def _cleaner(redactor: Redactor, policy: Policy, seal: Seal) -> Cleaner:
    return Cleaner(redactor, lambda _: policy, seal)


def _cleaned(cleaner: Cleaner, record: Record) -> tuple[bytes | None, str]:
    """The payload, or where it went wrong: without the error's own words, that may quote the text."""
    try:
        cleaned = cleaner.record(record)
        return (cleaned.pack() if cleaned else None), ""
    except Exception as error:
        return None, f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
