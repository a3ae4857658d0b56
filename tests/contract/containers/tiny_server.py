"""A server for a real container: TGI's first routes, and what it sees of the box it is in. Standard library only."""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ARGS = sys.argv[1:]
MODEL = ARGS[ARGS.index("--model-id") + 1]


def say(line):
    """Log in one piece: of a line in two pieces Podman 4.3 may show only the second."""
    sys.stdout.write(f"{line}\n")


def box():
    """How the container is closed off."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    shm = os.statvfs("/dev/shm")
    try:
        Path(MODEL, "written").touch()
        writable = True
    except OSError:
        writable = False
    return {
        "capabilities": status["CapEff"].strip(),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "shm": shm.f_frsize * shm.f_blocks,
        "model_writable": writable,
        "files": sorted(os.listdir(MODEL)),
        "arguments": ARGS,
        "offline": os.environ.get("HF_HUB_OFFLINE"),
    }


class Handler(BaseHTTPRequestHandler):
    """Health, identity, and the box."""

    def do_GET(self):
        bodies = {
            "/health": None,
            "/info": {"model_id": MODEL},
            "/v1/models": {"object": "list", "data": [{"id": MODEL, "object": "model"}]},
            "/box": box(),
        }
        found = self.path in bodies
        data = b"" if bodies.get(self.path) is None else json.dumps(bodies[self.path]).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """The log is for what matters."""


if __name__ == "__main__":
    if not os.path.exists(os.path.join(MODEL, "config.json")):
        say(f"Error: no config.json in {MODEL}")
        sys.exit(3)
    server = ThreadingHTTPServer(("0.0.0.0", int(ARGS[ARGS.index("--port") + 1])), Handler)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say("Connected")
    ended.wait()
    say("signal received, shutting down")
