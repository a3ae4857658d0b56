"""A vLLM as its API server answers (0.32.0: forms recorded there), started with --enable-lora."""

from __future__ import annotations

from typing import Any

from tests.fakes.hosted_server import Asked, HostedServer, Refusal

BASE = "tiny-base"


class FakeVllm(HostedServer):
    """`sees`: adapter folder → rank, as this server's own disk has them."""

    key = "vllm-key"

    def __init__(self, sees: dict[str, int] | None = None) -> None:
        self.sees = dict(sees or {})
        self.loaded: dict[str, str] = {}
        self.needs_key = True
        self.updates_at_runtime = True
        self.enables_lora = True
        self.lies = False
        """Says that it loaded an adapter, and forgets it."""
        self.rank_status = 500
        """0.32 answers a rank that is too large with 500, earlier ones with 400."""
        self.bodies: list[dict[str, Any]] = []
        super().__init__()

    def restart(self) -> None:
        """What was loaded while it ran is gone."""
        self.loaded.clear()

    def may(self, asked: Asked) -> bool:
        """The key guards /v1 and nothing else."""
        return not self.needs_key or not asked.path.startswith("/v1") or super().may(asked)

    def error_body(self, refusal: Refusal) -> dict[str, Any]:
        if refusal.status == 401:
            return {"error": "Unauthorized"}
        if refusal.status == 405 or refusal.args == ("detail",):
            return {"detail": refusal.message}
        kind = {400: "InvalidUserInput", 404: "NotFoundError"}.get(refusal.status, "InternalServerError")
        return {"error": {"message": refusal.message, "type": kind, "param": None, "code": refusal.status}}

    def answer(self, asked: Asked) -> Any:
        routes = {"/v1/load_lora_adapter": self._load, "/v1/unload_lora_adapter": self._unload}
        if asked.path in routes and self.updates_at_runtime:
            if asked.method != "POST":
                raise Refusal(405, "Method Not Allowed")
            self.bodies.append(asked.json())
            return routes[asked.path](asked.json())
        reads = {"/health": self._health, "/version": self._version, "/v1/models": self._models}
        if asked.method == "GET" and asked.path in reads:
            return reads[asked.path]()
        if asked.method == "POST" and asked.path == "/tokenize":
            self._known(asked.json()["model"])
            return {"count": 1, "max_model_len": 512, "tokens": [97], "token_strs": None}
        raise self._no_route()

    def _no_route(self) -> Refusal:
        refusal = Refusal(404, "Not Found")
        refusal.args = ("detail",)
        return refusal

    def _health(self) -> str:
        return ""

    def _version(self) -> dict[str, str]:
        return {"version": "0.32.0"}

    def _models(self) -> dict[str, Any]:
        base = self._card(BASE, f"/models/{BASE}", None) | {"max_model_len": 512}
        return {"object": "list", "data": [base, *(self._card(name, path, BASE) for name, path in self.loaded.items())]}

    def _card(self, name: str, root: str, parent: str | None) -> dict[str, Any]:
        permission = {"id": "modelperm-1", "object": "model_permission", "allow_sampling": True, "organization": "*"}
        about = {"object": "model", "created": 1, "owned_by": "vllm", "max_model_len": None}
        return {"id": name, **about, "root": root, "parent": parent, "permission": [permission]}

    def _known(self, name: str) -> None:
        if name != BASE and name not in self.loaded:
            raise Refusal(404, f"The model `{name}` does not exist. Valid aliases: {BASE}.")

    def _load(self, body: dict[str, Any]) -> str:
        name, path = body["lora_name"], body["lora_path"]
        if name in self.loaded and not body.get("load_inplace"):
            raise Refusal(
                400,
                f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, "
                "set 'load_inplace' to True.",
            )
        if not self.enables_lora:
            raise self._worker_failed(500, "LoRA is not enabled. Use --enable-lora to enable LoRA.")
        if path not in self.sees:
            raise Refusal(404, f"Loading lora {name} failed: No adapter found for {path}")
        if self.sees[path] > 16:
            why = f"LoRA rank {self.sees[path]} is greater than max_lora_rank 16."
            raise self._worker_failed(self.rank_status, why)
        if not self.lies:
            self.loaded[name] = path
        return f"Success: LoRA adapter '{name}' added successfully."

    def _worker_failed(self, status: int, why: str) -> Refusal:
        told = f"Worker failed with error '{why}', please check the stack trace above for the root cause"
        return Refusal(status, f"Call to add_lora method failed: {told}")

    def _unload(self, body: dict[str, Any]) -> str:
        if body["lora_name"] not in self.loaded:
            raise Refusal(404, f"The lora adapter '{body['lora_name']}' cannot be found.")
        del self.loaded[body["lora_name"]]
        return f"Success: LoRA adapter '{body['lora_name']}' removed successfully."
