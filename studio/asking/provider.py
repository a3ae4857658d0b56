"""Answers over HTTP from an OpenAI-compatible provider: a few at a time, with retries, latency, tokens and cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import httpx

from storage.database import Database
from storage.tables import Model
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.asking import Answer, Prompt
from studio.curate.outputs import output_of
from studio.errors import InvalidInput, Unavailable
from studio.settings import Settings

CONCURRENCY = 8
ATTEMPTS = 4
LONGEST_WAIT_S = 20.0
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
REFUSED = {401: "refused the key", 403: "refused the key", 404: "does not know the model or the address"}
MILLION = 1_000_000


def refuse_without_address(model: Model) -> None:
    """Raise InvalidInput for a provider's model that no provider answers for, saying what has to be done first."""
    if model.kind != "provider" or model.provider_id is not None:
        return
    note = str((model.facts.get("hosted") or {}).get("note") or "").strip()
    raise InvalidInput(
        f"“{model.name}” has no address that answers with it. {note + ' ' if note else ''}"
        f"Add that address under Settings, Providers, with the model {model.provider_model or model.name!r}."
    )


class ProviderClient:
    """One provider's model, asked directly (not through the gateway, so that nothing is recorded as traffic)."""

    def __init__(self, model: Model, database: Database, settings: Settings, first_wait_s: float = 0.5) -> None:
        refuse_without_address(model)
        providers = Providers(database, SecretBox(settings.secrets))
        provider = providers.get(model.provider_id or "")
        self.name, self.model, self.first_wait_s = provider.name, model.provider_model, first_wait_s
        self.price = provider.prices.get(model.provider_model, {})
        key = providers.key_of(provider)
        self.url = f"{provider.base_url.rstrip('/')}/chat/completions"
        self.extra: dict[str, Any] = {"temperature": 0}
        self.client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(settings.upstream_timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=CONCURRENCY),
        )

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Answer]]:
        """Answers as they arrive. Raises Unavailable when the provider cannot be reached or refuses."""
        pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="ask")
        try:
            waiting = {pool.submit(self._answer, prompt): prompt for prompt in prompts}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _answer(self, prompt: Prompt) -> Answer:
        reply: httpx.Response | None = None
        for attempt in range(1, ATTEMPTS + 1):
            started, extra = time.perf_counter(), self.extra
            reply = self._post(prompt, extra, attempt)
            if reply is None:
                continue
            if reply.status_code == 200:
                return self._read(reply, (time.perf_counter() - started) * 1000)
            self._raise_if_refused(reply)
            if self._dislikes_temperature(reply, extra):
                continue
            if reply.status_code not in RETRIED:
                break
            if attempt < ATTEMPTS:
                time.sleep(self._wait(attempt, reply.headers.get("retry-after", "")))
        return Answer(error=_first_line(reply) if reply is not None else "The provider did not answer in time.")

    def _post(self, prompt: Prompt, extra: dict[str, Any], attempt: int) -> httpx.Response | None:
        tools = {"tools": prompt.tools} if prompt.tools else {}
        try:
            return self.client.post(self.url, json={"model": self.model, "messages": prompt.messages, **tools, **extra})
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            return None
        except httpx.HTTPError as error:
            if attempt == ATTEMPTS:
                what = f"{self.name} does not answer ({type(error).__name__})"
                raise Unavailable(f"{what}. Start it or correct its address under Settings, then retry.") from error
            time.sleep(self._wait(attempt))
            return None

    def _read(self, reply: httpx.Response, latency_ms: float) -> Answer:
        try:
            found = reply.json()
            message, usage = found["choices"][0]["message"], found.get("usage") or {}
            prompt, completion = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return Answer(error="The provider answered, but not like an OpenAI API.", latency_ms=latency_ms)
        cost = (prompt * self.price.get("prompt", 0.0) + completion * self.price.get("completion", 0.0)) / MILLION
        return Answer(output_of(message), None, latency_ms, prompt, completion, cost)

    def _raise_if_refused(self, reply: httpx.Response) -> None:
        why = REFUSED.get(reply.status_code)
        if why:
            raise Unavailable(f"{self.name} {why} (HTTP {reply.status_code}). Correct it under Settings, Providers.")

    def _dislikes_temperature(self, reply: httpx.Response, sent: dict[str, Any]) -> bool:
        """Some models accept no temperature: ask this and all later questions without one."""
        if "temperature" not in sent or reply.status_code in RETRIED or "temperature" not in reply.text.lower():
            return False
        self.extra = {}
        return True

    def _wait(self, attempt: int, asked: str = "") -> float:
        seconds = float(asked) if asked.replace(".", "", 1).isdigit() else self.first_wait_s * 2 ** (attempt - 1)
        return min(seconds, LONGEST_WAIT_S)


def _first_line(reply: httpx.Response) -> str:
    lines = reply.text.strip().splitlines()
    return f"HTTP {reply.status_code}: {lines[0][:200] if lines else 'no explanation'}"
