"""Files at companies that speak OpenAI's files API: an upload that is there already is not sent twice."""

from __future__ import annotations

from typing import Any

from studio.train.hosted.http import Api, Lost
from studio.train.hosted.rows import Upload

PURPOSE = "fine-tune"


def file_id(api: Api, upload: Upload, path: str = "/files", fields: dict[str, str] | None = None) -> str:
    """The company's id of the file: the one that is there, else a new upload's."""
    return _there(api, upload) or _sent(api, upload, path, fields or {})


def _sent(api: Api, upload: Upload, path: str, fields: dict[str, str]) -> str:
    data = {"purpose": PURPOSE, **fields}
    with upload.path.open("rb") as stream:
        try:
            made = api.post(path, data=data, files={"file": (upload.name, stream, "application/jsonl")})
        except Lost:
            if found := _there(api, upload):
                return found
            raise
    return str(made["id"])


def _there(api: Api, upload: Upload) -> str | None:
    listed: list[dict[str, Any]] = api.get("/files", {"purpose": PURPOSE}).get("data") or []
    good = (each for each in listed if each.get("filename") == upload.name and each.get("status") != "error")
    return next((str(each["id"]) for each in good), None)
