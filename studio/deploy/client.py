"""ServerClient: our own questions to a model server, in the dialect that it speaks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from studio.deploy.artifact.tgi_facts import MODELS
from studio.deploy.client_errors import ServerBusy, mapped, reach_own_servers

__all__ = ["Reply", "Said", "ServerBusy", "ServerClient", "timed"]
TIMEOUT_S = 60.0
PROBE_S = 1.5
DIALECTS = ("tgi", "vllm", "openai", "shared")
"""TGI's routes; OpenAI's with vLLM's /tokenize; OpenAI's alone; those at an address that many customers share."""
NOT_THERE = (404, 405, 501)
UNKNOWN_NAME = 404


@dataclass(frozen=True)
class Said:
    """An answer to a golden prompt, with as much of its tokens as the server shows."""

    text: str
    tokens: list[int] | None = None
    """Ids without the end token; None where the server shows only text."""
    pieces: tuple[str, ...] = ()
    ended: bool | None = None
    """Whether the model came to an end by itself."""
    prompt_tokens: int | None = None


@dataclass(frozen=True)
class Prompt:
    """The prompt that a server makes of a conversation, as far as it tells."""

    text: str | None = None
    ids: list[int] | None = None


@dataclass(frozen=True)
class ServerClient:
    """A server by its root address, the name it should answer to, its key and its dialect."""

    endpoint: str
    name: str
    api_key: str = ""
    dialect: str = "tgi"
    timeout_s: float = TIMEOUT_S

    def healthy(self) -> bool:
        """Whether it says it can answer. Never raises."""
        paths = ("/health",) if self.dialect == "tgi" else ("/health", "/v1/models")
        try:
            return any(self._get(path, PROBE_S).is_success for path in paths)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False

    def names(self) -> list[str]:
        """The model names it claims: /v1/models, and TGI's /info where there is one. A TGI in a container claims the
        path of its weights there, which ends in its name. At a shared address: our name, if it answers to it.
        """
        if self.dialect == "shared":
            return [self.name] if self._answers_to_its_name() else []
        with mapped(self.endpoint):
            listed = self._get("/v1/models").raise_for_status().json()
            names = [str(model["id"]) for model in listed["data"]]
            if self.dialect != "openai" and (info := self._get("/info")).is_success:
                names.append(str(info.json()["model_id"]))
        return sorted({*names, *(name.removeprefix(f"{MODELS}/") for name in names)})

    def prompt(self, messages: list[dict[str, Any]]) -> str | None:
        """The exact text it makes of a conversation; None if it does not tell."""
        return self.shown_prompt(messages).text

    def shown_prompt(self, messages: list[dict[str, Any]]) -> Prompt:
        """The prompt it makes of a conversation: text and token ids, as far as its dialect tells."""
        if self.dialect in ("openai", "shared"):
            return Prompt()
        path = "/chat_tokenize" if self.dialect == "tgi" else "/tokenize"
        with mapped(self.endpoint):
            reply = self._post(path, {"model": self.name, "messages": messages})
            if reply.status_code in NOT_THERE:
                return Prompt()
            told = reply.raise_for_status().json()
            if self.dialect == "vllm":
                return Prompt(ids=[int(token) for token in told["tokens"]])
            ids = [int(token["id"]) for token in told.get("tokenize_response") or []]
            return Prompt(str(told["templated_text"]), ids or None)

    def text_of(self, ids: list[int]) -> str | None:
        """The text of these tokens, special ones shown (vLLM only)."""
        with mapped(self.endpoint):
            reply = self._post("/detokenize", {"model": self.name, "tokens": ids})
            return str(reply.json()["prompt"]) if reply.is_success else None

    def greedy(self, messages: list[dict[str, Any]], text: str, count: int) -> Said:
        """The most likely first tokens of an answer. `text` is the prompt as training rendered it (TGI reads that)."""
        if self.dialect == "tgi":
            return self._greedy_text(text or self.prompt(messages) or "", count)
        body = {"model": self.name, "messages": messages, "max_tokens": count, "temperature": 0.0}
        # vLLM applies what generation_config.json says of repetition unless told otherwise.
        asked_ids = {"return_token_ids": True, "repetition_penalty": 1.0} if self.dialect == "vllm" else {}
        with mapped(self.endpoint):
            told = self._post("/v1/chat/completions", body | asked_ids).raise_for_status().json()
            choice, usage = told["choices"][0], told.get("usage") or {}
            ids, ended = choice.get("token_ids"), choice.get("finish_reason") == "stop"
            tokens = [int(token) for token in ids][: -1 if ended else None] if ids else None
            content = str(choice["message"].get("content") or "")
            return Said(content, tokens, ended=ended, prompt_tokens=usage.get("prompt_tokens"))

    def greedy_tokens(self, text: str, count: int) -> list[int]:
        """The first greedy token ids after this text, the end token left out (TGI only)."""
        return self._greedy_text(text, count).tokens or []

    def chat(self, messages: list[dict[str, Any]], max_tokens: int = 256, temperature: float = 0.0) -> str:
        """One whole answer."""
        with mapped(self.endpoint):
            reply = self._inference().chat_completion(
                messages, model=self.name, max_tokens=max_tokens, temperature=temperature
            )
            return str(reply.choices[0].message.content or "")

    def stream(self, messages: list[dict[str, Any]], max_tokens: int = 256, temperature: float = 0.0) -> Iterator[str]:
        """The answer piece by piece, as it is made. Closing the iterator hangs up."""
        client = self._inference()
        with client, mapped(self.endpoint):
            for chunk in client.chat_completion(
                messages, model=self.name, max_tokens=max_tokens, temperature=temperature, stream=True
            ):
                piece = chunk.choices[0].delta.content if chunk.choices else None
                if piece:
                    yield str(piece)

    def _answers_to_its_name(self) -> bool:
        """A company's list of models need not hold our own, and a name that nobody serves is refused there."""
        body = {"model": self.name, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        with mapped(self.endpoint):
            reply = self._post("/v1/chat/completions", body)
            if reply.status_code == UNKNOWN_NAME:
                return False
            return bool(reply.raise_for_status().json()["choices"])

    def _greedy_text(self, text: str, count: int) -> Said:
        with mapped(self.endpoint):
            found = self._inference().text_generation(
                self._without_doubled_start(text), adapter_id=self.name, max_new_tokens=count, details=True
            )  # a server without adapters does not look at the adapter's name
            ended = found.details.finish_reason == "eos_token"
            made = found.details.tokens[: -1 if ended else None]
            return Said(found.generated_text, [token.id for token in made], tuple(t.text for t in made), ended)

    def _without_doubled_start(self, text: str) -> str:
        """Templates write the start token and tokenizers add it again; one of them has to go."""
        tokens = self._post("/tokenize", {"inputs": text}).raise_for_status().json()
        if len(tokens) > 1 and tokens[0]["id"] == tokens[1]["id"] and not tokens[0]["text"]:
            return text.removeprefix(str(tokens[1]["text"]))
        return text

    def _inference(self) -> Any:
        from huggingface_hub import InferenceClient

        reach_own_servers()
        # Without a key of our own the hub's client would send the one of whoever is signed in to the hub here.
        return InferenceClient(base_url=self.endpoint, api_key=self.api_key or NO_KEY, timeout=self.timeout_s)

    def _get(self, path: str, timeout: float | None = None) -> httpx.Response:
        limit = timeout or self.timeout_s
        return _session().get(f"{self.endpoint}{path}", headers=self._headers(), timeout=limit)

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        url = f"{self.endpoint}{path}"
        return _session().post(url, json=body, headers=self._headers(), timeout=self.timeout_s)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}


NO_KEY = "none"


@cache
def _session() -> httpx.Client:
    """One for all threads: making one reads every certificate on this machine. Connections are not kept, for servers
    come and go; and nobody sends us on to another address with a key.
    """
    return httpx.Client(trust_env=False, follow_redirects=False, limits=httpx.Limits(max_keepalive_connections=0))


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
