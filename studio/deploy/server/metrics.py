"""Counters in Prometheus text, under TGI's names."""

from __future__ import annotations

from collections import Counter


class Metrics:
    """What the server has done since it started."""

    def __init__(self) -> None:
        self.requests = 0
        self.succeeded = 0
        self.failures: Counter[str] = Counter()
        self.seconds = 0.0
        self.generated = 0
        self.prompted = 0

    def served(self, seconds: float, prompt_tokens: int, generated_tokens: int) -> None:
        """Count one whole answer."""
        self.succeeded += 1
        self.seconds += seconds
        self.prompted += prompt_tokens
        self.generated += generated_tokens

    def text(self, running: int) -> str:
        """The page a Prometheus scraper reads."""
        lines = [
            *_family("tgi_request_count", "counter", self.requests),
            *_family("tgi_request_success", "counter", self.succeeded),
            "# TYPE tgi_request_failure counter",
            *(f'tgi_request_failure{{err="{kind}"}} {count}' for kind, count in sorted(self.failures.items())),
            "# TYPE tgi_request_duration summary",
            f"tgi_request_duration_sum {self.seconds:.6f}",
            f"tgi_request_duration_count {self.succeeded}",
            "# TYPE tgi_request_generated_tokens summary",
            f"tgi_request_generated_tokens_sum {self.generated}",
            f"tgi_request_generated_tokens_count {self.succeeded}",
            "# TYPE tgi_request_input_length summary",
            f"tgi_request_input_length_sum {self.prompted}",
            f"tgi_request_input_length_count {self.succeeded}",
            *_family("tgi_batch_current_size", "gauge", running),
            *_family("tgi_queue_size", "gauge", 0),
        ]
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, value: float) -> list[str]:
    return [f"# TYPE {name} {kind}", f"{name} {value}"]
