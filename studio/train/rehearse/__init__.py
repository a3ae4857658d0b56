"""Rehearsals: one batch and a few micro-steps of a run before it starts, and what more labels would be worth."""

from __future__ import annotations

from studio.train.rehearse.service import Rehearsals

__all__ = ["Rehearsals"]
