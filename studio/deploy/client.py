"""ServerClient: our own questions to a model server. The one place that maps its clients' exceptions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from studio.errors import Unavailable

TIMEOUT_S = 60.0
PROBE_S = 1.5
SHOWN = 300


@dataclass(frozen=True)
class ServerClient:
    """A server by its root address, the name it should answer to, and its key."""

    endpoint: str
    name: str
    api_key: str = ""
    dialect: str = "tgi"

    def healthy(self) -> bool:
        """Whether it says it can answer. Never raises."""
        paths = ("/health",) if self.dialect == "tgi" else ("/health", "/v1/models")
        try:
            return any(self._get(path, PROBE_S).is_success for path in paths)
        except httpx.HTTPError:
            return False

    def names(self) -> list[str]:
        """The model names it claims: /v1/models, and TGI's /info where there is one."""
        with _mapped(self.endpoint):
            listed = self._get("/v1/models").raise_for_status().json()
            names = [str(model["id"]) for model in listed["data"]]
            info = self._get("/info")
            if info.is_success:
                names.append(str(info.json()["model_id"]))
        return sorted(set(names))

    def prompt(self, messages: list[dict[str, Any]]) -> str | None:
        """The exact text it makes of a conversation; None if it does not tell."""
        with _mapped(self.endpoint):
            reply = self._post("/chat_tokenize", {"model": self.name, "messages": messages})
            if reply.status_code in (404, 405):
                return None
            found: str = reply.raise_for_status().json()["templated_text"]
            return found

    def greedy_tokens(self, text: str, count: int) -> list[int]:
        """The first greedy token ids after this text, the end token left out (TGI only)."""
        with _mapped(self.endpoint):
            found = self._inference().text_generation(
                self._without_doubled_start(text), max_new_tokens=count, details=True
            )
            ids = [token.id for token in found.details.tokens]
            return ids[:-1] if found.details.finish_reason == "eos_token" else ids

    def chat(self, messages: list[dict[str, Any]], max_tokens: int = 256, temperature: float = 0.0) -> str:
        """One whole answer."""
        with _mapped(self.endpoint):
            reply = self._inference().chat_completion(
                messages, model=self.name, max_tokens=max_tokens, temperature=temperature
            )
            return str(reply.choices[0].message.content or "")

    def _without_doubled_start(self, text: str) -> str:
        """Templates write the start token and tokenizers add it again; one of them has to go."""
        tokens = self._post("/tokenize", {"inputs": text}).raise_for_status().json()
        if len(tokens) > 1 and tokens[0]["id"] == tokens[1]["id"] and not tokens[0]["text"]:
            return text.removeprefix(str(tokens[1]["text"]))
        return text

    def _inference(self) -> Any:
        from huggingface_hub import InferenceClient

        _reach_own_servers_offline()
        return InferenceClient(base_url=self.endpoint, api_key=self.api_key or None, timeout=TIMEOUT_S)

    def _get(self, path: str, timeout: float = TIMEOUT_S) -> httpx.Response:
        return httpx.get(f"{self.endpoint}{path}", headers=self._headers(), timeout=timeout, trust_env=False)

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        url = f"{self.endpoint}{path}"
        return httpx.post(url, json=body, headers=self._headers(), timeout=TIMEOUT_S, trust_env=False)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}


@cache
def _reach_own_servers_offline() -> None:
    """HF_HUB_OFFLINE, usual on machines that are cut off, makes the hub's own HTTP client refuse every address."""
    import httpx2
    from huggingface_hub import set_client_factory

    set_client_factory(lambda: httpx2.Client(follow_redirects=True, timeout=None, trust_env=False))


@dataclass(frozen=True)
class Reply:
    """An answer and how long it took."""

    text: str
    milliseconds: float


def timed(client: ServerClient, messages: list[dict[str, Any]], max_tokens: int) -> Reply:
    """Ask, and take the time."""
    started = time.perf_counter()
    text = client.chat(messages, max_tokens=max_tokens)
    return Reply(text, (time.perf_counter() - started) * 1000)


@contextmanager
def _mapped(endpoint: str) -> Iterator[None]:
    import httpx2
    from huggingface_hub.errors import TextGenerationError

    try:
        yield
    except TextGenerationError as error:
        raise Unavailable(f"The model server at {endpoint} refused: {str(error)[:SHOWN]}") from error
    except (httpx.HTTPError, httpx2.HTTPError) as error:
        reply = getattr(error, "response", None)
        said = f" It said: {reply.text[:SHOWN]}" if reply is not None and reply.text else ""
        raise Unavailable(f"The model server at {endpoint} did not answer as expected: {error}.{said}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable(f"The model server at {endpoint} answered in a form we cannot read: {error!r}") from error
