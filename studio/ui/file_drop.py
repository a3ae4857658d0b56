"""A file field that sends files straight to `/upload`, one after the other: none lies in the web process's memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

MOST_AT_ONCE = 50

_HTML = """
<label class="drop"><input type="file" multiple aria-label="Files to import">
<span class="text">Choose files, or drop them here</span></label>
<progress max="1" value="0" aria-label="Uploaded" hidden></progress>
<p role="status"></p>
"""
_CSS = """
.drop { display: block; padding: 1.5rem; text-align: center; cursor: pointer; color: var(--st-text-color);
  background: var(--st-secondary-background-color); font: inherit;
  border: 1px dashed color-mix(in srgb, var(--st-text-color) 35%, transparent); border-radius: var(--st-base-radius); }
.drop:hover, .drop.over, .drop:focus-within { border-color: var(--st-primary-color); }
input { position: absolute; opacity: 0; width: 1px; height: 1px; }
progress { width: 100%; accent-color: var(--st-primary-color); }
p { margin: 0.5rem 0 0; color: var(--st-text-color); font-size: 0.9em; }
p:empty { display: none; }
"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const find = (name) => parentElement.querySelector(name);
  const drop = find(".drop"), input = find("input"), bar = find("progress"), status = find("p");
  let request = null, busy = false, left = false;
  const send = (file, told) => new Promise((done) => {
    request = new XMLHttpRequest();
    request.open("POST", "/upload?" + new URLSearchParams({ project: data.project, name: file.name }));
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
    request.onload = () => {
      const found = request.response || {};
      done(found.upload ? { id: found.upload } : { error: found.error || "The upload failed. Try again." });
    };
    request.onerror = () => done({ error: "The connection was lost. Try again." });
    request.responseType = "json";
    bar.value = 0;
    bar.hidden = false;
    status.textContent = "Uploading " + file.name + told;
    request.send(file);
  });
  const sendAll = async (files) => {
    if (busy || !files.length) return;
    if (files.length > data.most) {
      status.textContent = "These are " + files.length + " files, and " + data.most + " can come at once. Zip them.";
      return;
    }
    busy = true;
    const uploads = [], failed = [];
    for (const [number, file] of files.entries()) {
      const sent = await send(file, files.length > 1 ? " (" + (number + 1) + " of " + files.length + ")" : "");
      if (left) return;
      sent.id ? uploads.push(sent.id) : failed.push({ name: file.name, error: sent.error });
    }
    busy = false;
    bar.hidden = true;
    input.value = "";
    const alone = files.length === 1;
    status.textContent = failed.map(({ name, error }) => alone ? error : name + ": " + error).join(" ");
    if (uploads.length) setTriggerValue("uploaded", { uploads, failed });
  };
  input.onchange = () => sendAll([...input.files]);
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    sendAll([...event.dataTransfer.files]);
  };
  return () => { left = true; if (request) request.abort(); };
}
"""
_component = st.components.v2.component("whetstone_file_drop", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Dropped:
    """What came of one drop: ids of uploads, and what to say of the files that did not arrive."""

    uploads: tuple[str, ...]
    problems: tuple[str, ...]


def file_drop(project_id: str, *, key: str) -> Dropped | None:
    """The file field; what was dropped, in the run after all of it has arrived."""
    data = {"project": project_id, "most": MOST_AT_ONCE}
    result: Any = _component(key=key, data=data, on_uploaded_change=lambda: None)
    found = result.uploaded
    if not isinstance(found, dict):
        return None
    problems = [f"{each.get('name', '')}: {each.get('error', '')}" for each in found.get("failed") or ()]
    return Dropped(tuple(map(str, found.get("uploads") or ())), tuple(problems))
