"""A file field that sends the file straight to `/upload`: it never lies in the web process's memory."""

from __future__ import annotations

from typing import Any

import streamlit as st

_HTML = """
<label class="drop"><input type="file" aria-label="File to import">
<span class="text">Choose a file, or drop it here</span></label>
<progress max="1" value="0" hidden></progress>
<p role="status"></p>
"""
_CSS = """
.drop { display: block; padding: 1.25rem; text-align: center; cursor: pointer; color: var(--st-text-color);
  border: 1px dashed var(--st-border-color); border-radius: var(--st-base-radius); font: inherit; }
.drop:hover, .drop.over, .drop:focus-within { border-color: var(--st-primary-color); }
input { position: absolute; opacity: 0; width: 1px; height: 1px; }
progress { width: 100%; accent-color: var(--st-primary-color); }
p { margin: 0.5rem 0 0; color: var(--st-text-color); font-size: 0.9em; }
"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const find = (name) => parentElement.querySelector(name);
  const drop = find(".drop"), input = find("input"), bar = find("progress"), status = find("p");
  let request = null;
  const send = (file) => {
    if (!file || request) return;
    request = new XMLHttpRequest();
    const query = new URLSearchParams({ project: data.project, name: file.name });
    request.open("POST", "/upload?" + query);
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
    request.onload = () => {
      const found = request.response || {};
      request = null;
      bar.hidden = true;
      if (found.upload) { status.textContent = "Uploaded."; setTriggerValue("upload", found.upload); }
      else { status.textContent = found.error || "The upload failed. Try again."; input.value = ""; }
    };
    request.onerror = () => {
      request = null;
      bar.hidden = true;
      status.textContent = "The connection was lost. Try again.";
    };
    request.responseType = "json";
    bar.hidden = false;
    status.textContent = "Uploading " + file.name;
    request.send(file);
  };
  input.onchange = () => send(input.files[0]);
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send(event.dataTransfer.files[0]);
  };
  return () => { if (request) request.abort(); };
}
"""
_component = st.components.v2.component("whetstone_file_drop", html=_HTML, css=_CSS, js=_JS)


def file_drop(project_id: str, *, key: str) -> str | None:
    """The file field; the id of the upload in the run after it has ended."""
    result: Any = _component(key=key, data={"project": project_id}, on_upload_change=lambda: None)
    found: str | None = result.upload
    return found
