"""All intakes and where they answer."""

from __future__ import annotations

import logging

from sqlalchemy.exc import DBAPIError

from storage.database import Database
from studio.capture.feedback import GivenFeedback, count_meant
from studio.capture.recorder import Recorder
from studio.gateway.app import Handler
from studio.gateway.intakes import langfuse, openpipe
from studio.gateway.intakes.feedback import ChangeFeedback, TakeFeedback
from studio.gateway.intakes.helicone import PROPERTY, RATING, SCORES, AboutRequest, TakeLog
from studio.gateway.intakes.litellm import TakeLiteLLM
from studio.gateway.intakes.otlp import RECORDS, TakeExport
from studio.gateway.intakes.portkey import TakeLogs
from studio.gateway.intakes.report import TakeReport
from studio.gateway.intakes.taking import Taking
from studio.gateway.keys import KeyCache
from studio.gateway.routing import Routing

log = logging.getLogger(__name__)

Routes = list[tuple[str, str, Handler]]

TRACES = ("/v1/traces", "/v1/otlp/v1/traces", f"{langfuse.BASE}/otel/v1/traces", f"{langfuse.BASE}/otel")
"""OTLP's own path, Portkey's base, and Langfuse's."""


def intake_routes(
    keys: KeyCache, routing: Routing, recorder: Recorder, max_body: int, database: Database | None
) -> Routes:
    """Method, path and handler of every intake. The database is only asked how many calls somebody means."""

    def matches(project_id: str, given: GivenFeedback) -> int:
        try:
            return count_meant(database, project_id, given) if database else 0
        except DBAPIError as error:
            log.warning("How many calls are meant is not known now: %s", error.orig)
            return 0

    taking = Taking(keys, routing, recorder, max_body, matches)
    feedback, traces, records = TakeFeedback(taking), TakeExport(taking), TakeExport(taking, RECORDS)
    return [
        ("POST", "/v1/report", TakeReport(taking)),
        ("POST", "/v1/feedback", feedback),
        ("PUT", "/v1/feedback/{feedback_id}", ChangeFeedback(taking)),
        ("POST", "/v1/logs/{uid}/feedback", feedback),
        *(("POST", path, traces) for path in TRACES),
        ("POST", "/v1/intake/litellm", TakeLiteLLM(taking)),
        ("POST", "/v1/logs", TakeLogs(taking, records)),
        ("POST", "/v1/otlp/v1/logs", records),
        ("POST", "/v1/request/{id}/feedback", AboutRequest(taking, RATING)),
        ("POST", "/v1/request/{id}/score", AboutRequest(taking, SCORES)),
        ("PUT", "/v1/request/{id}/property", AboutRequest(taking, PROPERTY)),
        ("POST", "/custom/v1/log", TakeLog(taking)),
        ("POST", "/oai/v1/log", TakeLog(taking)),
        ("POST", "/anthropic/v1/log", TakeLog(taking, "messages")),
        ("POST", f"{langfuse.BASE}/scores", langfuse.TakeScores(taking)),
        ("POST", f"{langfuse.BASE}/ingestion", langfuse.TakeIngestion(taking)),
        ("GET", f"{langfuse.BASE}/projects", langfuse.Project(taking)),
        *_of_openpipe(taking),
    ]


def _of_openpipe(taking: Taking) -> Routes:
    base, update = openpipe.BASE, openpipe.UpdateTags(taking)
    here: Routes = [
        ("POST", f"{base}/report", openpipe.ReportCall(taking)),
        ("POST", f"{base}/report-anthropic", openpipe.ReportCall(taking, "messages")),
        ("POST", f"{base}/logs/update-tags", update),
        ("POST", f"{base}/logs/update-metadata", update),
    ]
    for what in openpipe.INSTEAD:
        answer = openpipe.NotHere(taking, what)
        for method in ("GET", "POST", "DELETE"):
            here += [(method, f"{base}/{what}", answer), (method, f"{base}/{what}/{{rest}}", answer)]
    return [*here, ("POST", f"{base}/datasets/{{id}}/entries", openpipe.NotHere(taking, "datasets"))]
