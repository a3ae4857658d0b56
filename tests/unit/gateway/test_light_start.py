"""The gateway starts without what only some of its callers need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("google.protobuf", "opentelemetry", "torch", "pandas")


def test_protobuf_is_imported_when_the_first_trace_comes_and_not_before() -> None:
    code = (
        "import sys, studio.gateway.__main__\n"
        f"sys.exit(','.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
