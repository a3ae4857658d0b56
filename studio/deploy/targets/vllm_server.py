"""A vLLM that somebody runs with --enable-lora: a revision's adapter is loaded under its own name while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from studio.access.origins import addresses_of, is_public
from studio.access.places import Health
from studio.deploy.targets.asking import Answer, Asker, NobodyThere, Silent
from studio.deploy.targets.dialects import key_is_needed
from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.errors import Conflict, InvalidInput, StudioError, Unavailable

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
LOAD_S = 30.0
LOOK_S = 2.0
"""The worker looks at all revisions in turn, so a silent server must not hold the others up."""
KEY_GUARDS = (
    "vLLM's key guards /v1 only: whoever reaches the server can load adapters and read figures by other routes. "
    "Keep it on a private network."
)


class VllmServerTarget:
    """Names are per revision and never loaded over each other, so that going back stays possible."""

    caps = Caps(merged=False, adapter=True, adapter_at_runtime=True, grammar=True, outlives_studio=True)

    def __init__(self, place: Place | None = None, resolve: Callable[[str], list[str]] = addresses_of) -> None:
        self.place, self.resolve = place or Place(), resolve
        self.server = Asker(self.place.url.removesuffix("/v1"), self.place.key)

    def launch(self, launch: Launch) -> Running:
        """Load the adapter under the served name, or find it there. Raises StudioError with what vLLM refused."""
        self._refuse_open_to_all()
        name = launch.served_name
        known = self.server.models()
        if launch.adapter_folder is None:
            _refuse_unless_served(name, known)
            return self._running(name, str(known[name].get("root") or ""))
        path = self._there(launch.adapter_folder)
        if name not in known:
            self._load(name, path)
        else:
            _refuse_another(name, path, known[name])
        return self._running(name, path)

    def look(self, handle: str, folder: Path) -> Look:
        """Whether exactly these weights are still listed under the name."""
        name, _, path = handle.partition("=")
        try:
            card = self._quick().models().get(name)
        except NobodyThere as error:
            return Look(False, error.message)  # and its adapters went with it
        except StudioError as error:
            return Look(True, f"Nothing is known now: {error.message}")
        if card is None:
            return Look(False, f"vLLM does not list {name} any more: it was restarted, or somebody unloaded it.")
        if path and str(card.get("root")) != path:
            return Look(False, f"vLLM serves other weights under {name}: {card.get('root')}.")
        return Look(True, f"vLLM lists {name}, from {card.get('root')}, on {card.get('parent') or 'no base'}.")

    def stop(self, handle: str, now: bool = False) -> None:
        """Unload our adapter, and nothing else's. A silent server keeps it; the next look says so."""
        name, _, path = handle.partition("=")
        try:
            card = self._quick().models().get(name)
            if card and card.get("parent") and str(card.get("root")) == path:
                self.server.post(UNLOAD, {"lora_name": name})
        except Unavailable:
            return

    def check(self) -> Health:
        """Whether adapters can be loaded, and who else could. Raises StudioError if it does not answer."""
        self._refuse_open_to_all()
        models = self.server.models()
        why = self._why_not_at_runtime()
        bases = [name for name, card in models.items() if not card.get("parent")]
        loaded = [name for name, card in models.items() if card.get("parent")]
        sentence = f"vLLM {self._version()}answers with {', '.join(bases) or 'no base'} and {_adapters(loaded)}."
        if why:
            return Health(False, f"{sentence} {why}")
        return Health(True, sentence, self._warnings(), {"dialect": "vllm"})

    def _quick(self) -> Asker:
        return replace(self.server, timeout_s=min(LOOK_S, self.server.timeout_s))

    def _running(self, name: str, path: str) -> Running:
        return Running(f"{name}={path}", self.server.url, "vllm")

    def _there(self, folder: Path) -> str:
        """The folder's path as that server sees it: the longest of the mapped folders that holds it."""
        here = PurePosixPath(folder)
        pairs = [
            (PurePosixPath(a), PurePosixPath(b)) for a, b in dict(self.place.options.get("path_map") or {}).items()
        ]
        fitting = [pair for pair in pairs if here.is_relative_to(pair[0])]
        if pairs and not fitting:
            raise InvalidInput(
                f"{folder} is in none of the folders that this vLLM sees. "
                f"Add it to “Folders there” of {self.place.name}, under Settings, Serving."
            )
        if not fitting:
            return str(here)
        mine, theirs = max(fitting, key=lambda pair: len(pair[0].parts))
        return str(theirs / here.relative_to(mine))

    def _load(self, name: str, path: str) -> None:
        patient = Asker(self.server.url, self.server.key, LOAD_S)
        try:
            answer = patient.post(LOAD, {"lora_name": name, "lora_path": path})
        except Silent:
            return  # it may still be loading: the next look and the gates tell
        if not answer.ok and "already" not in answer.said():
            raise refusal(answer, name, path, self.server.url)
        card = self.server.models().get(name)
        if card is None:
            raise Conflict(f"vLLM said that it loaded {name}, but does not list it. Look into its log.")
        _refuse_another(name, path, card)

    def _refuse_open_to_all(self) -> None:
        host = urlsplit(self.server.url).hostname or ""
        if not self.server.url:
            raise InvalidInput("A vLLM that runs already needs its address. Add it under Settings, Serving.")
        if not is_public(self.resolve(host)):
            return
        if not self.server.key or not key_is_needed(self.server):
            raise Conflict(
                f"Everybody can reach {self.server.url} without a key, and could load other weights. "
                "Move it to a private network and start it with --api-key."
            )

    def _why_not_at_runtime(self) -> str:
        """The route is there for POST only, so asking it with GET changes nothing and still tells."""
        if self.server.get(LOAD).status == 404:
            return "Adapters cannot be loaded: start it with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1."
        return ""

    def _version(self) -> str:
        found = self.server.get("/version").json()
        return f"{found['version']} " if isinstance(found, dict) and "version" in found else ""

    def _warnings(self) -> tuple[str, ...]:
        found = []
        if is_public(self.resolve(urlsplit(self.server.url).hostname or "")):
            found.append(KEY_GUARDS)
        if not key_is_needed(self.server):
            found.append(f"It asks for no key. Start it with --api-key. {KEY_GUARDS}")
        return tuple(found)


def refusal(answer: Answer, name: str, path: str, url: str) -> StudioError:
    """Why vLLM did not load an adapter, in our words; which status it uses has changed between its versions."""
    said = answer.said()
    low = said.lower()
    if answer.status in (401, 403):
        return Conflict(f"{url} refused the key (HTTP {answer.status}). Enter the key it was started with.")
    if "max_lora_rank" in low:
        told = re.search(r"LoRA rank \d+ is greater than max_lora_rank \d+", said)
        return Conflict(
            f"The adapter's rank is larger than this vLLM takes: {told.group() if told else said}. "
            "Start it with a larger --max-lora-rank."
        )
    if "lora is not enabled" in low or "enable-lora" in low:
        return Conflict("This vLLM was started without --enable-lora. Start it with that, or serve merged weights.")
    if "no adapter found" in low:
        return Conflict(f"This vLLM does not see {path}. Share the folder with it, and fill in “Folders there”.")
    if answer.status == 404:
        return Conflict(
            "This vLLM does not load adapters while it runs. Start it with VLLM_ALLOW_RUNTIME_LORA_UPDATING=1."
        )
    if answer.status >= 500 and not said:
        return Unavailable(f"vLLM answered HTTP {answer.status} when it was to load {name}. Look into its log.")
    return Conflict(f"vLLM did not load {name} (HTTP {answer.status}): {said or 'it did not say why'}.")


def _refuse_unless_served(name: str, known: dict[str, Any]) -> None:
    if name not in known:
        raise InvalidInput(
            f"Merged weights cannot be put into a vLLM that runs already; it serves {', '.join(known) or 'nothing'}. "
            f"Push the adapter alone, or start that vLLM with --served-model-name {name}."
        )


def _refuse_another(name: str, path: str, card: dict[str, Any]) -> None:
    if not card.get("parent"):
        raise Conflict(f"This vLLM serves a base model under the name {name}. Deploy under another alias.")
    if str(card.get("root")) != path:
        raise Conflict(
            f"This vLLM serves {card.get('root')} under the name {name}, not {path}. Unload that there first."
        )


def _adapters(names: list[str]) -> str:
    return f"the adapter{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else "no adapter"
