"""Counters and histograms in Prometheus text, under TGI's names and in its buckets."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

# TGI's: 0.15 ms to about 2.5 minutes, each half as long again as the one before.
DURATIONS = [0.0001 * 1.5**step for step in range(1, 36)]
SHARES = 100


@dataclass(frozen=True)
class Served:
    """What one request took."""

    total_s: float
    validation_s: float
    queue_s: float
    inference_s: float
    prompt_tokens: int
    generated_tokens: int
    max_new_tokens: int | None = None

    @property
    def per_token_s(self) -> float:
        """The engine's time per token, the first one with the prompt included."""
        return self.inference_s / max(1, self.generated_tokens)


class Histogram:
    """How often values fell into each bucket."""

    def __init__(self, bounds: list[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> list[str]:
        """In Prometheus text: each bucket holds the ones below it, too."""
        found, running = [f"# TYPE {name} histogram"], 0
        for bound, count in zip(self._bounds, self._counts, strict=False):
            running += count
            found.append(f'{name}_bucket{{le="{bound:.12g}"}} {running}')
        running += self._counts[-1]
        return [
            *found,
            f'{name}_bucket{{le="+Inf"}} {running}',
            f"{name}_sum {self._sum:.9g}",
            f"{name}_count {running}",
        ]


class Metrics:
    """What the server has done since it started."""

    def __init__(self, max_total_tokens: int = 4096) -> None:
        self.requests = 0
        self.succeeded = 0
        self.failures: Counter[str] = Counter()
        tokens = [max_total_tokens / SHARES * (share + 1) for share in range(SHARES)]
        self._durations = {
            name: Histogram(DURATIONS) for name in ("", "validation_", "queue_", "inference_", "mean_time_per_token_")
        }
        self._tokens = {name: Histogram(tokens) for name in ("input_length", "generated_tokens", "max_new_tokens")}

    def served(self, spent: Served) -> None:
        """Count one whole request."""
        self.succeeded += 1
        for name, value in {
            "": spent.total_s,
            "validation_": spent.validation_s,
            "queue_": spent.queue_s,
            "inference_": spent.inference_s,
            "mean_time_per_token_": spent.per_token_s,
        }.items():
            self._durations[name].add(value)
        self._tokens["input_length"].add(spent.prompt_tokens)
        self._tokens["generated_tokens"].add(spent.generated_tokens)
        if spent.max_new_tokens is not None:
            self._tokens["max_new_tokens"].add(spent.max_new_tokens)

    def text(self, running: int, waiting: int) -> str:
        """The page a Prometheus scraper reads."""
        lines = [
            *_family("tgi_request_count", "counter", self.requests),
            *_family("tgi_request_success", "counter", self.succeeded),
            "# TYPE tgi_request_failure counter",
            *(f'tgi_request_failure{{err="{kind}"}} {count}' for kind, count in sorted(self.failures.items())),
            *_family("tgi_batch_current_size", "gauge", running - waiting),
            *_family("tgi_queue_size", "gauge", waiting),
        ]
        for name, histogram in self._durations.items():
            lines += histogram.lines(f"tgi_request_{name}duration")
        for name, histogram in self._tokens.items():
            lines += histogram.lines(f"tgi_request_{name}")
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, value: float) -> list[str]:
    return [f"# TYPE {name} {kind}", f"{name} {value}"]
