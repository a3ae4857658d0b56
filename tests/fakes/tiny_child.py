"""What a supervised process can be: a server with a hidden child of its own, or one that only lives."""

from __future__ import annotations

import http.server
import signal
import subprocess
import sys
import time


def serve(port: int) -> None:
    """Answer on a port, with a grandchild in a session of its own."""
    subprocess.Popen(["sleep", "300"], start_new_session=True)
    server = http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
    print("serving", flush=True)
    server.serve_forever()


def tick(stubborn: bool) -> None:
    """Live, and ignore TERM if stubborn."""
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ticking", flush=True)
    time.sleep(300)


if __name__ == "__main__":
    serve(int(sys.argv[2])) if sys.argv[1] == "web" else tick(sys.argv[1] == "stubborn")
