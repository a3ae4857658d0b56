"""Serving places, typed as an operator types them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from studio.bootstrap import Studio
from studio.errors import InvalidInput
from tests.fakes.vllm import BASE, FakeVllm

Type = Callable[..., str]


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    server = FakeVllm()
    server.needs_key = False
    yield server
    server.close()


def test_a_place_is_saved_asked_changed_and_forgotten(studio: Studio, typed: Type, vllm: FakeVllm) -> None:
    said = typed("serving-place", "gpu", "--kind", "vllm_server", "--url", vllm.origin, "--option", "path_map=/a=/b")
    assert f"vLLM 0.32.0 answers with {BASE}" in said.replace("\n", " ") and "--api-key" in said
    saved = studio.serving_places.find("gpu")
    assert saved and saved.options == {"path_map": {"/a": "/b"}}
    typed("serving-place", "gpu", "--option", "path_map=")
    changed = studio.serving_places.find("gpu")
    assert changed and (changed.url, changed.options) == (vllm.origin, {})
    assert "gpu" in typed("serving-places", "--check")
    typed("serving-place", "gpu", "--delete")
    assert studio.serving_places.all() == []


def test_what_is_missing_is_said(studio: Studio, typed: Type) -> None:
    with pytest.raises(InvalidInput, match="with --kind"):
        typed("serving-place", "gpu")
    with pytest.raises(InvalidInput, match="no serving place “gpu”"):
        typed("serving-place", "gpu", "--delete")
