"""The run doctor by its old name."""

from __future__ import annotations

from studio.train.doctor import Finding, examine

__all__ = ["Finding", "examine"]
