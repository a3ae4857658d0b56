"""How to call the alias, to copy: OpenAI's client, Hugging Face's, and curl."""

from __future__ import annotations

import json

import streamlit as st

from studio.ui.components import next_step
from studio.ui.state import current_studio


def snippets(alias: str) -> None:
    """Three ways, each with a copy button."""
    st.caption("Make an API key under Settings, then change the base URL and the model name. Nothing else.")
    url = f"{current_studio().settings.gateway_url}/v1"
    openai, hub, curl = st.tabs(["OpenAI", "InferenceClient", "curl"], key="snippet_kind")
    openai.code(openai_snippet(url, alias), language="python")
    hub.code(hub_snippet(url, alias), language="python")
    curl.code(curl_snippet(url, alias), language="bash")
    next_step("Make an API key under Settings", "settings")


def openai_snippet(url: str, alias: str) -> str:
    """With streaming."""
    return f"""from openai import OpenAI

client = OpenAI(base_url={_quoted(url)}, api_key="wk-...")
reply = client.chat.completions.create(
    model={_quoted(alias)},
    messages=[{{"role": "user", "content": "Hello"}}],
    stream=True,
)
for chunk in reply:
    print(chunk.choices[0].delta.content or "", end="")"""


def hub_snippet(url: str, alias: str) -> str:
    """Always with the model's name: without it the client sends "dummy"."""
    return f"""from huggingface_hub import InferenceClient

client = InferenceClient(base_url={_quoted(url)}, api_key="wk-...")
reply = client.chat_completion(
    [{{"role": "user", "content": "Hello"}}],
    model={_quoted(alias)},
)
print(reply.choices[0].message.content)"""


def curl_snippet(url: str, alias: str) -> str:
    """From any shell."""
    body = json.dumps({"model": alias, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False)
    quoted = body.replace("'", "'\\''")
    return f"""curl {url}/chat/completions \\
  -H "Authorization: Bearer wk-..." \\
  -H "Content-Type: application/json" \\
  -d '{quoted}'"""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
