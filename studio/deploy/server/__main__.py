"""`python -m studio.deploy.server --model-dir DIR --served-name NAME --port N --api-key-file FILE`."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path


def main() -> None:
    """Load the model, then answer until SIGTERM; streams under way get 30 seconds to finish."""
    asked = _arguments()
    # Spinning OpenMP threads on shared cores cost up to 35 times; it must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    started = time.perf_counter()

    from studio.deploy.server.app import Server
    from studio.deploy.server.drain import serve
    from studio.deploy.server.engine import Engine, Options

    options = Options(asked.threads, asked.max_total_tokens, asked.max_concurrent_requests)
    engine = Engine(asked.model_dir, options)
    key = asked.api_key_file.read_text().strip() if asked.api_key_file else ""
    print(f"{asked.served_name} loaded in {time.perf_counter() - started:.1f} s on {engine.device}", flush=True)
    serve(Server(engine, asked.served_name, key), asked.host, asked.port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="studio.deploy.server", description="Serve one model in TGI's wire format.")
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--served-name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--api-key-file", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-total-tokens", type=int, default=0, help="0: the model's own limit, at most 4096")
    parser.add_argument("--max-concurrent-requests", type=int, default=128)
    return parser.parse_args()


if __name__ == "__main__":
    main()
