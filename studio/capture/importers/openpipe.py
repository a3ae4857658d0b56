"""OpenPipe: exported logs (`input`, `output`), reports as its client sends them, and datasets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.capture.importers import chat
from studio.capture.importers.fields import dict_of, first, id_of, json_of, known, list_of, moment, span_ms, text_of
from studio.capture.importers.port import Call, Refused, Said
from studio.capture.tags import clean_tags


class OpenPipe:
    """Rows of its exports."""

    label = "OpenPipe"
    example = '{"input": {"model": "...", "messages": [...]}, "output": {"choices": [...]}, "tags": {}}'

    def matches(self, row: dict[str, Any]) -> bool:
        """A request and an answer under its names, or a dataset's row with its split or its rejected answer."""
        if "reqPayload" in row or "respPayload" in row:
            return True
        if isinstance(dict_of(row.get("input")).get("messages"), list) and "output" in row:
            return True
        return isinstance(row.get("messages"), list) and ("rejected_message" in row or row.get("split") in SPLITS)

    def read(self, row: dict[str, Any]) -> Iterable[Call | Said]:
        """The row's call; a rejected answer becomes the one that was given, and the better one its correction."""
        if isinstance(row.get("messages"), list):
            return self._example(row)
        return [self._log(row)]

    def _log(self, row: dict[str, Any]) -> Call:
        asked = dict_of(first(row, "input", "reqPayload"))
        request = chat.asked(asked, chat.checked(asked.get("messages"), "input"))
        meta = self._facts(row)
        if error := text_of(row.get("errorMessage")):
            return Call(request, {"error": {"message": error}}, {**meta, "status": "error", "error": error})
        response = chat.completion(first(row, "output", "respPayload"), "output")
        meta["external_id"] = meta.get("external_id") or id_of(response.get("id"))
        return Call(request, response, {"at": moment(response.get("created"), "created"), **known(meta)})

    def _facts(self, row: dict[str, Any]) -> dict[str, Any]:
        asked_at = moment(first(row, "requestedAt", "requested_at", "createdAt", "created_at"), "requestedAt")
        received = moment(first(row, "receivedAt", "received_at"), "receivedAt")
        status = first(row, "statusCode", "status_code")
        own = {
            "at": asked_at,
            "external_id": id_of(first(row, "id", "loggedCallId")),
            "latency_ms": span_ms(asked_at, received),
            "http_status": int(status) if isinstance(status, int | float) else None,
            "tags": clean_tags(dict_of(row.get("metadata")) | dict_of(row.get("tags"))),
        }
        return known(own)

    def _example(self, row: dict[str, Any]) -> list[Call]:
        messages, last = chat.split_last(row["messages"])
        split = text_of(row.get("split")).lower()
        tags = {**dict_of(row.get("metadata")), **dict_of(row.get("tags")), **({"split": split} if split else {})}
        row = {**row, "tags": tags, "tools": _tools(row)}
        request = chat.asked({name: value for name, value in row.items() if name not in OLD}, messages)
        if first(row, "rejected_message") is None:
            return [Call(request, chat.answered(last), chat.facts(row))]
        if not isinstance(json_of(row["rejected_message"]), dict | str):
            raise Refused("`rejected_message` must be a message.", "rejected_message")
        return chat.corrected(row, request, last, row["rejected_message"], "rejected_message")


SPLITS = ("TRAIN", "TEST")
OLD = ("functions", "function_call")


def _tools(row: dict[str, Any]) -> list[Any] | None:
    """Tools, also where they are given as functions, the older form."""
    functions = [{"type": "function", "function": item} for item in list_of(row.get("functions"))]
    return list_of(row.get("tools")) or functions or None
