"""The lines that the Connect dialog shows, run as they are by the real clients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studio.capture import sources
from studio.capture.sources import SOURCES, Source
from tests.contract.intakes.conftest import CLAUDE, MODEL, Stand
from tests.fakes.wire_samples import SAID

OPENPIPE = Path(__file__).parents[3] / ".venv-openpipe/bin/python"


def run_here(source: Source, stand: Stand, model: str = MODEL) -> dict[str, object]:
    """A Python snippet in this process."""
    names: dict[str, object] = {}
    exec(compile(source.snippet(stand.url, stand.secret, model), source.name, "exec"), names)
    return names


def run_shell(text: str) -> str:
    done = subprocess.run(["bash", "-euc", text], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_program(text: str) -> None:
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr


def test_every_source_names_the_gateway_and_a_key() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        text = source.snippet("http://studio:8600/", "wk-1")
        assert "http://studio:8600" in text and "wk-1" in text and "{" + "base}" not in text, source.name
        assert "//v1" not in text and "//api" not in text


@pytest.mark.parametrize("source", [sources.OPENAI_PYTHON, sources.HELICONE], ids=lambda source: source.name)
def test_openai_client_through_the_gateway(source: Source, serves: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    run_here(source, serves)
    assert SAID in capsys.readouterr().out
    call = serves.call()
    assert (call.source, call.status, call.model) == ("gateway", "ok", MODEL)
    assert call.tags["feature"] == "hello"
    if source is sources.HELICONE:
        assert (call.user_id, call.session_id) == ("user-1", "session-1")


def test_anthropic_client_through_the_gateway(serves: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    run_here(sources.ANTHROPIC, serves, CLAUDE)
    assert SAID in capsys.readouterr().out
    assert (serves.call().endpoint, serves.call().model) == ("messages", CLAUDE)


def test_portkey_client_through_the_gateway(serves: Stand, capsys: pytest.CaptureFixture[str]) -> None:
    run_here(sources.PORTKEY, serves)
    assert SAID in capsys.readouterr().out
    call = serves.call()
    assert (call.trace_id, call.user_id, call.tags["feature"]) == ("trace-1", "user-1", "hello")
    assert {one.kind for one in serves.feedback(call)} == {"thumbs", "metric"}
    assert serves.call().rating == "up"


def test_curl_and_reports_in_a_shell(serves: Stand) -> None:
    answer = run_shell(sources.CURL.snippet(serves.url, serves.secret, MODEL))
    assert "chat.completion" in answer
    assert "accepted" in run_shell(sources.REPORT.snippet(serves.url, serves.secret, MODEL))
    assert [call.source for call in serves.calls()] == ["gateway", "report"]


@pytest.mark.parametrize("source", [sources.OPENLLMETRY, sources.OPENINFERENCE], ids=lambda source: source.name)
def test_traced_openai_client(source: Source, stand: Stand) -> None:
    """In a process of its own: what instrumentations do to the client is not all undone."""
    asks = f"""
from openai import OpenAI
client = OpenAI(base_url="{stand.upstream_url}/v1", api_key="sk-provider")
client.chat.completions.create(model="{MODEL}", messages=[{{"role": "user", "content": "Hello"}}])
provider.shutdown()
"""
    run_program(source.snippet(stand.url, stand.secret, MODEL) + asks)
    call = stand.call()
    assert (call.source, call.model, call.messages[-1]["content"]) == ("otlp", MODEL, "Hello")
    assert call.reply["content"] == SAID


def test_opentelemetry_by_its_environment(stand: Stand) -> None:
    program = f"""
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from openai import OpenAI
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = OpenAI(base_url="{stand.upstream_url}/v1", api_key="sk-provider")
client.chat.completions.create(model="{MODEL}", messages=[{{"role": "user", "content": "Hello"}}])
provider.shutdown()
"""
    exports = sources.OPENTELEMETRY.snippet(stand.url, stand.secret)
    run_shell(f"{exports}\n{sys.executable} - <<'END'\n{program}\nEND")
    call = stand.call()
    assert (call.source, call.model, call.messages[-1]["content"]) == ("otlp", MODEL, "Hello")
    assert call.reply["content"] == SAID


def test_langfuse_by_its_environment(stand: Stand) -> None:
    program = f"""
from langfuse import get_client
from langfuse.openai import OpenAI
client = OpenAI(base_url="{stand.upstream_url}/v1", api_key="sk-provider")
client.chat.completions.create(model="{MODEL}", messages=[{{"role": "user", "content": "Hello"}}])
get_client().flush()
"""
    exports = sources.LANGFUSE.snippet(stand.url, stand.secret)
    run_shell(f"{exports}\n{sys.executable} - <<'END'\n{program}\nEND")
    call = stand.call()
    assert (call.source, call.messages[-1]["content"], call.reply["content"]) == ("otlp", "Hello", SAID)


@pytest.mark.skipif(
    not OPENPIPE.exists(), reason="OpenPipe's client is not installed: run make .venv-openpipe/.installed"
)
def test_openpipe_client(serves: Stand) -> None:
    snippet = sources.OPENPIPE.snippet(serves.url, serves.secret, MODEL)
    direct = f"""
from openpipe import OpenAI
client = OpenAI(base_url="{serves.upstream_url}/v1", api_key="sk-provider",
                openpipe={{"api_key": "{serves.secret}", "base_url": "{serves.url}/api/v1"}})
client.chat.completions.create(model="{MODEL}", messages=[{{"role": "user", "content": "Hi"}}],
                               openpipe={{"tags": {{"n": 2}}}})
client.chat.completions.create(model="openpipe:{MODEL}", messages=[{{"role": "user", "content": "Secret"}}],
                               openpipe={{"log_request": False}})
"""
    run_shell(f"OPENAI_API_KEY=sk-x {OPENPIPE} - <<'END'\n{snippet}\n{direct}\nEND")
    through, reported = serves.calls()
    assert (through.source, through.model, through.tags["prompt_id"]) == ("gateway", MODEL, "hello")
    assert (reported.source, reported.model, reported.tags) == ("openpipe", MODEL, {"n": "2"})
    assert reported.reply["content"] == SAID
