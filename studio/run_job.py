"""One attempt of one job, in a process of its own: `python -m studio.run_job <job> <attempt>`, started by the shim.

Exit codes: 0 done, 143 asked to stop, 1 failed with a sentence in error.json. Everything printed goes to log.txt.
"""

from __future__ import annotations

import signal
import sys
import threading

STOP = threading.Event()


def main(job_id: str, attempt: int) -> int:
    """Run the job's handler and leave its result or its error on disk."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: STOP.set())  # first: a stop may come during the imports
    from studio.jobs.attempt import run_attempt

    return run_attempt(job_id, attempt, STOP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
