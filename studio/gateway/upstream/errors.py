"""Why an upstream gave no answer."""

from __future__ import annotations


class UpstreamError(Exception):
    """The upstream could not be reached, or did not speak HTTP to the end."""


class UpstreamTimeout(UpstreamError):
    """The upstream kept us waiting longer than we may wait."""


class StaleConnection(UpstreamError):
    """A pooled connection was closed by the upstream before it answered; the request can be sent again."""


class UpstreamCut(UpstreamError):
    """The upstream began to answer and stopped in the middle."""
