"""Honest deployments of tiny models, and the same with one fault planted: real weights, real servers, one process.

A deployment is a base with a low-rank adapter merged into it, served by the embedded server's own app in a thread, in
one of three dialects. Each fault is one that real servers have had without any error of theirs.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from storage.tables import Model
from tests.fakes.tiny_model import SPECIALS, TEMPLATE, conversation, make_tokenizer

WORDS = (
    "app crash refund seat export invoice login password slow broken charge twice help urgent Zürich naïve 42 #7 don't"
)
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.12,
}
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "original_max_position_embeddings": 64,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}
FAR = {"rope_type": "default", "rope_theta": 1000000.0}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"rope_parameters": LLAMA_3},
    "qwen3": {"rope_parameters": FAR, "head_dim": 16, "tie_word_embeddings": True},
    "mistral": {"rope_parameters": FAR, "sliding_window": None, "head_dim": 16},
    "qwen2": {"rope_parameters": FAR},
    "phi3": {"rope_parameters": FAR, "sliding_window": None},
}
RANK, STRENGTH = 4, 0.05


@dataclass(frozen=True)
class Recipe:
    """What makes one honest deployment."""

    architecture: str = "llama"
    seed: int = 1
    dialect: str = "tgi"
    dtype: str = "float32"
    """In which the server holds the weights; the recording is made in float32."""
    prompts: int = 50

    def __str__(self) -> str:
        return f"{self.architecture} {self.dtype} {self.dialect} {self.prompts} prompts, seed {self.seed}"


@dataclass
class Made:
    """The folders of a deployment and what training recorded of it."""

    recipe: Recipe
    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def tuned(self) -> Path:
        """What should be served."""
        return self.folder / "tuned"

    @property
    def model(self) -> Model:
        """As it is registered."""
        return Model(project_id="p", name="tuned", kind="tuned", facts=self.facts)


def make(recipe: Recipe, folder: Path) -> Made:
    """Base, tuned and another tuned model of it, in portable form, with the recording."""
    import torch

    from studio.train.portable import make_portable
    from studio.train.recipes.golden import golden_prompts

    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    base = _base(recipe, tokenizer)
    _save(base, tokenizer, folder / "base")
    for name, seed in (("tuned", 1), ("other", 2)):
        _save(_adapted(base, recipe.seed * 100 + seed), tokenizer, folder / name)
    recorded = golden_prompts(folder / "base", folder / "tuned", _conversations(recipe))
    for name in ("base", "tuned", "other"):
        _save(_as(folder / name, recipe.dtype), tokenizer, folder / name)
        make_portable(folder / name)
    return Made(recipe, folder, {"golden": recorded})


def _base(recipe: Recipe, tokenizer: Any) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(recipe.seed)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    config = AutoConfig.for_model(
        recipe.architecture, vocab_size=len(tokenizer), **SIZES, **ends, **ARCHITECTURES[recipe.architecture]
    )
    return AutoModelForCausalLM.from_config(config)


def _adapted(base: Any, seed: int) -> Any:
    """The base with a low-rank change in every projection, as a merged LoRA is."""
    import copy

    import torch

    tuned, chance = copy.deepcopy(base), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, module in tuned.named_modules():
            if name.endswith("_proj"):
                down = torch.randn(RANK, module.in_features, generator=chance)
                up = torch.randn(module.out_features, RANK, generator=chance)
                module.weight += STRENGTH * up @ down
    return tuned


def _as(folder: Path, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _conversations(recipe: Recipe) -> list[list[dict[str, str]]]:
    chance = random.Random(recipe.seed)
    return [
        conversation(" ".join(chance.choices(WORDS.split(), k=chance.randint(4, 20)))) for _ in range(recipe.prompts)
    ]


# Faults: what to serve instead. Each gets the deployment and an empty folder.


def adapter_missing(made: Made, out: Path) -> None:
    """The tuned model's files around the base's weights: the adapter was never applied."""
    _copy(made.tuned, out)
    shutil.copy(made.folder / "base" / "model.safetensors", out / "model.safetensors")


def wrong_adapter(made: Made, out: Path) -> None:
    """Another adapter of the same base."""
    _copy(made.folder / "other", out)


def base_served(made: Made, out: Path) -> None:
    """The base under the tuned model's name, as TGI does for an adapter it does not know."""
    _copy(made.folder / "base", out)


def half_an_adapter(made: Made, out: Path) -> None:
    """Only the attention's part of the adapter is applied: servers drop modules they do not know."""
    from safetensors.torch import load_file, save_file

    _copy(made.tuned, out)
    weights, base = (load_file(folder / "model.safetensors") for folder in (made.tuned, made.folder / "base"))
    weights |= {name: value for name, value in base.items() if ".mlp." in name}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


def rope_dropped(made: Made, out: Path) -> None:
    """The rotary base and scaling are lost, as when an older library reads a newer config."""
    _copy(made.tuned, out)
    _edit(out / "config.json", lambda found: {k: v for k, v in found.items() if "rope" not in k})


def template_changed(made: Made, out: Path) -> None:
    """The server's own chat template, one line break short."""
    _copy(made.tuned, out)
    changed = TEMPLATE.replace("{%- endgeneration %}{{- '\\n' }}", "{%- endgeneration %}")
    assert changed != TEMPLATE
    _edit(out / "tokenizer_config.json", lambda found: found | {"chat_template": changed})
    (out / "chat_template.jinja").write_text(changed)


def special_token_lost(made: Made, out: Path) -> None:
    """One special token is no longer special, so its name is read letter by letter."""
    _copy(made.tuned, out)
    lost = SPECIALS[1]

    def without(found: dict[str, Any]) -> dict[str, Any]:
        found["added_tokens"] = [token for token in found["added_tokens"] if token["content"] != lost]
        found["model"]["vocab"][f"{lost}-lost"] = found["model"]["vocab"].pop(lost)
        return found

    _edit(out / "tokenizer.json", without)
    _edit(out / "tokenizer_config.json", lambda found: {k: v for k, v in found.items() if k != "added_tokens_decoder"})


def tokenizer_off_by_one(made: Made, out: Path) -> None:
    """Two special tokens have changed places, so one id of every prompt is the next one."""
    _copy(made.tuned, out)
    start, other = SPECIALS[1], SPECIALS[0]

    def swapped(found: dict[str, Any]) -> dict[str, Any]:
        names = {start: other, other: start}
        vocabulary = found["model"]["vocab"]
        found["model"]["vocab"] = {names.get(name, name): at for name, at in vocabulary.items()}
        for token in found["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        return found

    _edit(out / "tokenizer.json", swapped)


def temperature_left_on(made: Made, out: Path) -> None:
    """The right files; the server samples whatever it is asked (see `Sampling`)."""
    _copy(made.tuned, out)


FAULTS: dict[str, Callable[[Made, Path], None]] = {
    "adapter missing": adapter_missing,
    "wrong adapter": wrong_adapter,
    "base served": base_served,
    "rope dropped": rope_dropped,
    "template changed": template_changed,
    "tokenizer off by one special token": tokenizer_off_by_one,
    "temperature left on": temperature_left_on,
    "half an adapter": half_an_adapter,
    "special token lost": special_token_lost,
}
"""The first seven are the ones a deployment must never survive; two more are near relatives."""


def _copy(folder: Path, out: Path) -> None:
    shutil.copytree(folder, out)


def _edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


# Servers


@contextmanager
def served(folder: Path, name: str, dialect: str = "tgi", *, sampling: bool = False) -> Iterator[str]:
    """The embedded server's app on a free port, from this folder; yields its address."""
    import uvicorn

    from studio.deploy.server.app import Server
    from studio.deploy.server.engine import Engine, Options

    engine = Engine(folder, Options(threads=1))
    app: ASGIApp = Server(engine, name).app()
    app = Sampling(app) if sampling else app
    app = as_vllm(app, name) if dialect == "vllm" else app
    # No lifespan: its watch ends the whole process with the engine, and this one is the tests' own.
    settings = uvicorn.Config(app, "127.0.0.1", 0, lifespan="off", log_level="error", timeout_graceful_shutdown=5)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _wait(lambda: server.started or not thread.is_alive())
        assert server.started, "the server did not start"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        engine.stop()
        assert not thread.is_alive(), "the server did not end"


def _wait(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)


class Sampling:
    """A server in front of which somebody left the temperature on: callers' greedy wishes do not reach it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Every generating request is given a temperature."""
        if scope["type"] != "http" or scope["method"] != "POST" or "tokenize" in scope["path"]:
            await self.app(scope, receive, send)
            return
        body = json.loads(await Request(scope, receive).body())
        if "messages" in body:
            body["temperature"] = 1.0
        else:
            body["parameters"] = body.get("parameters", {}) | {"do_sample": True, "temperature": 1.0}
        changed, told = json.dumps(body).encode(), [False]

        async def replayed() -> Any:
            if told[0]:
                return await receive()
            told[0] = True
            return {"type": "http.request", "body": changed, "more_body": False}

        headers = [(key, value) for key, value in scope["headers"] if key != b"content-length"]
        await self.app(scope | {"headers": [*headers, (b"content-length", str(len(changed)).encode())]}, replayed, send)


def as_vllm(app: ASGIApp, name: str) -> Starlette:
    """The same server with vLLM's words: /tokenize of a conversation, and token ids beside the text."""
    inner = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://inner", timeout=60)

    async def prompt(body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = (await inner.post("/chat_tokenize", json={"messages": body["messages"]})).json()
        return found

    async def tokenize(request: Request) -> Response:
        shown = await prompt(await request.json())
        ids = [token["id"] for token in shown["tokenize_response"]]
        return JSONResponse({"count": len(ids), "max_model_len": 512, "tokens": ids, "token_strs": None})

    async def chat(request: Request) -> Response:
        body = await request.json()
        shown = await prompt(body)
        asked = {"max_new_tokens": body.get("max_tokens", 64), "details": True}
        made = (await inner.post("/generate", json={"inputs": shown["templated_text"], "parameters": asked})).json()
        ids = [token["id"] for token in made["details"]["tokens"]]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": made["generated_text"]},
            "finish_reason": "stop" if made["details"]["finish_reason"] == "eos_token" else "length",
            "token_ids": ids if body.get("return_token_ids") else None,
        }
        count = len(shown["tokenize_response"])
        usage = {"prompt_tokens": count, "completion_tokens": len(ids), "total_tokens": count + len(ids)}
        reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": name}
        return JSONResponse(reply | {"choices": [choice], "usage": usage})

    async def absent(_request: Request) -> Response:
        return JSONResponse({"error": "Not Found"}, 404)

    routes = [
        Route("/tokenize", tokenize, methods=["POST"]),
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/chat_tokenize", absent, methods=["POST"]),
        Route("/detokenize", absent, methods=["POST"]),
        Route("/info", absent),
        Mount("/", app),
    ]
    return Starlette(routes=routes)
