"""The versions of a dataset: what each holds, who decided it, what changed, and its downloads."""

from __future__ import annotations

import streamlit as st

from storage.tables import Dataset, DatasetVersion
from studio.curate.exporters import EXPORTERS, PairExporter, exporter
from studio.ui.formats import ago, plain
from studio.ui.state import current_studio

SHOWN = 20
NAMES_SHOWN = 4


def versions_tab(dataset: Dataset) -> None:
    """Frozen versions, newest first, with what changed and downloads."""
    versions = current_studio().datasets.versions(dataset.id)
    if not versions:
        st.caption("No version yet. Freeze one: it never changes again, so a model can be traced to its rows.")
    for version in versions[:SHOWN]:
        _version(version)


def _version(version: DatasetVersion) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"version_{version.number}"):
        with st.container(gap=None):
            st.markdown(f"**Version {version.number}** · {_rows(version)}")
            st.caption(
                f"{_changes(version)} · by {plain(version.created_by)}, {ago(version.created_at)}{_note(version)}"
            )
            if people := people_line(version.stats):
                st.caption(plain(people))
        st.code(version.digest[:12], language=None, width=150)
        with st.popover("Download", icon=":material/download:", key=f"download_{version.id}"):
            _download(version)


def people_line(stats: dict[str, dict[str, int]]) -> str:
    """Preference pairs, judgements for KTO and who decided, as far as the version holds any."""
    pairs, judged = pairs_of(stats), stats.get("kto", {})
    said = []
    if pairs:
        said.append(f"{pairs:,} preference {'pair' if pairs == 1 else 'pairs'} to train on")
    if judged:
        said.append(
            f"{judged.get('desirable', 0):,} wanted and {judged.get('undesirable', 0):,} unwanted answers (KTO)"
        )
    if names := stats.get("decided_by", {}):
        first = [f"{name} ({count:,})" for name, count in list(names.items())[:NAMES_SHOWN]]
        more = len(names) - len(first)
        said.append(f"decided by {', '.join(first)}{f' and {more} more' if more else ''}")
    return " · ".join(said)


def pairs_of(stats: dict[str, dict[str, int]], split: str = "train") -> int:
    """How many preference pairs one split of a version holds; versions of older releases do not say."""
    found: dict[str, dict[str, int]] = stats.get("pairs", {})  # type: ignore[assignment]
    return sum(found.get(split, {}).values())


def _download(version: DatasetVersion) -> None:
    labels = {name: exporter(name).label for name in EXPORTERS}
    chosen = st.selectbox("Format", list(labels), format_func=labels.__getitem__, key=f"format_{version.id}")
    split = st.segmented_control(
        "Split", ["train", "golden"], default="train", required=True, key=f"split_{version.id}"
    )
    datasets = current_studio().datasets
    if isinstance(exporter(chosen), PairExporter) and "pairs" in version.stats and not pairs_of(version.stats, split):
        st.caption("No preference pairs in this split yet. Rankings, review decisions and corrected answers make them.")
    st.download_button(
        "Download file",
        data=lambda: datasets.export(version.id, chosen, split)[1],
        file_name=f"v{version.number}-{split}{exporter(chosen).suffix}",
        mime="application/jsonl",
        key=f"file_{version.id}",
        on_click="ignore",
    )


def _rows(version: DatasetVersion) -> str:
    golden = f"{version.golden_rows:,} golden ({version.verified_golden_rows:,} verified)"
    return f"{version.train_rows:,} training, {golden}"


def _changes(version: DatasetVersion) -> str:
    if version.parent_id is None:
        return "First version"
    diff = version.stats.get("diff", {})
    if diff and not any(diff.values()):
        return "Same examples; who decided them or which answers people prefer changed"
    return ", ".join(f"{diff.get(name, 0):,} {name}" for name in ("added", "removed", "changed"))


def _note(version: DatasetVersion) -> str:
    return f" · {plain(version.note)}" if version.note else ""
