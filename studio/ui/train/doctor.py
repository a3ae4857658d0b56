"""The run doctor on screen: what would make the run fail or mislead, found before it starts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from studio.train.preflight import Finding
from studio.ui.formats import plain

SEVERITY = {"error": (st.error, "error"), "warning": (st.warning, "warning"), "info": (st.info, "info")}


def findings_list(findings: Sequence[Finding]) -> None:
    """Every finding with what to do about it, worst first."""
    for finding in findings:
        show, icon = SEVERITY[finding.severity]
        show(plain(finding.sentence), icon=f":material/{icon}:")
