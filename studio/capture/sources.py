"""Where calls come from: for each source the lines that connect it, as the Connect dialog shows them."""

from __future__ import annotations

from dataclasses import dataclass

KEY = "wk-…"
MODEL = "gpt-4o-mini"


@dataclass(frozen=True)
class Source:
    """One way to bring calls in."""

    name: str
    label: str
    language: str
    """How the snippet is coloured: python, javascript or bash."""
    note: str
    """What it does, in one sentence."""
    template: str
    """`{base}` stands for the gateway's address, `{key}` for an API key, `{model}` for a name it serves."""

    def snippet(self, base_url: str, key: str = KEY, model: str = MODEL) -> str:
        """The lines for this installation."""
        filled = self.template.replace("{base}", base_url.rstrip("/"))
        return filled.replace("{key}", key).replace("{model}", model)


OPENAI_PYTHON = Source(
    "openai-python",
    "OpenAI (Python)",
    "python",
    "Calls go through the gateway; `metadata` becomes tags.",
    """from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key="{key}")
answer = client.chat.completions.create(
    model="{model}",
    messages=[{"role": "user", "content": "Hello"}],
    metadata={"feature": "hello"},
)
print(answer.choices[0].message.content)
""",
)

OPENAI_NODE = Source(
    "openai-node",
    "OpenAI (Node.js)",
    "javascript",
    "Calls go through the gateway; `metadata` becomes tags.",
    """import OpenAI from "openai";

const client = new OpenAI({ baseURL: "{base}/v1", apiKey: "{key}" });
const answer = await client.chat.completions.create({
  model: "{model}",
  messages: [{ role: "user", content: "Hello" }],
  metadata: { feature: "hello" },
});
console.log(answer.choices[0].message.content);
""",
)

CURL = Source(
    "curl",
    "curl",
    "bash",
    "Calls go through the gateway from any language.",
    """curl --silent --show-error --fail-with-body "{base}/v1/chat/completions" \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "{model}", "messages": [{"role": "user", "content": "Hello"}]}'
""",
)

ANTHROPIC = Source(
    "anthropic",
    "Anthropic (Python)",
    "python",
    "Calls go through the gateway to a provider of the kind Anthropic.",
    """from anthropic import Anthropic

client = Anthropic(base_url="{base}", api_key="{key}")
message = client.messages.create(
    model="{model}",
    max_tokens=200,
    messages=[{"role": "user", "content": "Hello"}],
)
print(message.content[-1].text)
""",
)

OPENPIPE = Source(
    "openpipe",
    "OpenPipe (Python)",
    "python",
    "Keep OpenPipe's client: models named openpipe:… are answered by the gateway, other calls are reported to it.",
    """from openpipe import OpenAI

client = OpenAI(openpipe={"api_key": "{key}", "base_url": "{base}/api/v1"})
answer = client.chat.completions.create(
    model="openpipe:{model}",
    messages=[{"role": "user", "content": "Hello"}],
    openpipe={"tags": {"prompt_id": "hello"}},
)
print(answer.choices[0].message.content)
""",
)

HELICONE = Source(
    "helicone",
    "Helicone headers",
    "python",
    "Keep Helicone's headers: users, sessions, properties and request ids are kept with the call.",
    """from openai import OpenAI

client = OpenAI(
    base_url="{base}/v1",
    api_key="{key}",
    default_headers={
        "Helicone-User-Id": "user-1",
        "Helicone-Session-Id": "session-1",
        "Helicone-Property-Feature": "hello",
    },
)
answer = client.chat.completions.create(
    model="{model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)
""",
)

PORTKEY = Source(
    "portkey",
    "Portkey (Python)",
    "python",
    "Keep Portkey's client: metadata, trace ids and feedback are kept; its providers and configs are not used.",
    """from portkey_ai import Portkey

client = Portkey(
    base_url="{base}/v1",
    api_key="{key}",
    trace_id="trace-1",
    metadata={"_user": "user-1", "feature": "hello"},
)
answer = client.chat.completions.create(
    model="{model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)
client.feedback.create(trace_id="trace-1", value=1)
""",
)

OPENTELEMETRY = Source(
    "opentelemetry",
    "OpenTelemetry",
    "bash",
    "For a program that is traced already: its spans with GenAI conventions become calls.",
    """export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="{base}/v1/traces"
export OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf"
export OTEL_EXPORTER_OTLP_TRACES_HEADERS="Authorization=Bearer%20{key}"
export OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental"
export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY"
""",
)

VERCEL = Source(
    "vercel",
    "Vercel AI SDK",
    "javascript",
    "Calls go to your provider as before; telemetry that is enabled on a call tells it to the studio.",
    """import { openai } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { generateText } from "ai";

const traceExporter = new OTLPTraceExporter({
  url: "{base}/v1/traces",
  headers: { Authorization: "Bearer {key}" },
});
const telemetry = new NodeSDK({ traceExporter });
telemetry.start();

const { text } = await generateText({
  model: openai("{model}"),
  prompt: "Hello",
  experimental_telemetry: {
    isEnabled: true,
    functionId: "hello",
    metadata: { userId: "user-1", sessionId: "session-1" },
  },
});
console.log(text);
await telemetry.shutdown();
""",
)

_TRACED = """from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="{base}/v1/traces",
    headers={"Authorization": "Bearer {key}"},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
OpenAIInstrumentor().instrument(tracer_provider=provider)
"""

OPENLLMETRY = Source(
    "openllmetry",
    "OpenLLMetry (Traceloop)",
    "python",
    "Calls go to your provider as before and are traced to the studio."
    " With Traceloop's SDK, set TRACELOOP_BASE_URL and TRACELOOP_API_KEY instead.",
    _TRACED,
)

OPENINFERENCE = Source(
    "openinference",
    "OpenInference (Arize Phoenix)",
    "python",
    "Calls go to your provider as before and are traced to the studio.",
    _TRACED.replace("opentelemetry.instrumentation.openai", "openinference.instrumentation.openai"),
)

LANGFUSE = Source(
    "langfuse",
    "Langfuse",
    "bash",
    "Keep Langfuse's SDK: generations become calls, scores become feedback, corrections become corrected outputs.",
    """export LANGFUSE_BASE_URL="{base}"
export LANGFUSE_HOST="{base}"
export LANGFUSE_PUBLIC_KEY="whetstone"
export LANGFUSE_SECRET_KEY="{key}"
""",
)

LITELLM = Source(
    "litellm",
    "LiteLLM",
    "bash",
    'Add callbacks: ["generic_api"] to litellm_settings of its config; every call is then reported in batches.',
    """export GENERIC_LOGGER_ENDPOINT="{base}/v1/intake/litellm"
export GENERIC_LOGGER_HEADERS="Authorization=Bearer {key}"
""",
)

REPORT = Source(
    "report",
    "Report a call",
    "bash",
    "For a call that was made elsewhere: send the request and the answer as they were.",
    """curl --silent --show-error --fail-with-body "{base}/v1/report" \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{"request": {"model": "{model}", "messages": [{"role": "user", "content": "Hello"}]},
       "response": {"choices": [{"message": {"role": "assistant", "content": "Hi!"}, "finish_reason": "stop"}]}}'
""",
)

SOURCES: tuple[Source, ...] = (
    OPENAI_PYTHON,
    OPENAI_NODE,
    CURL,
    ANTHROPIC,
    OPENPIPE,
    HELICONE,
    PORTKEY,
    VERCEL,
    OPENTELEMETRY,
    OPENLLMETRY,
    OPENINFERENCE,
    LANGFUSE,
    LITELLM,
    REPORT,
)
