"""What one does with calls: add them to a dataset, send them to label, mark them as golden."""

from __future__ import annotations

import streamlit as st

from storage.tables import Dataset, Project
from studio.capture.filters import LogFilter
from studio.curate.picked import MOST, Golden
from studio.errors import InvalidInput
from studio.label.draft import TaskDraft
from studio.ui.capture import place
from studio.ui.capture.listing import ASKED
from studio.ui.label.send import free_name
from studio.ui.navigation import page_path
from studio.ui.state import current_actor, current_studio, reported_errors

NEW = "New dataset"
Uids = tuple[str, ...]


def asked_for(project: Project, everything: bool = False) -> bool:
    """Open the dialog that somebody asked for, with the calls they selected; no calls means all that are shown."""
    verb, uids = st.session_state.pop(ASKED, ("dataset", ()) if everything else ("", ()))
    dialogs = {"dataset": add_dialog, "label": label_dialog, "golden": golden_dialog}
    if verb not in dialogs:
        return False
    dialogs[verb](project, uids)
    return True


@st.dialog("Add to dataset", icon=":material/playlist_add:")
def add_dialog(project: Project, uids: Uids = ()) -> None:
    """Choose or make a dataset, and add the selected calls, or every call that the filters show."""
    criteria = chosen_calls(project, uids)
    st.markdown(f"{_how_many(criteria)} Calls already added are skipped.")
    chosen, name = _which_dataset(project)
    st.caption("Repeated prompts, failed calls and broken answers go in as left out, with the reason.")
    if st.button("Add calls", type="primary", key="add_now"):
        with reported_errors():
            current_studio().datasets.add_logs(current_actor(), _dataset(project, chosen, name).id, criteria)
            st.rerun()


@st.dialog("Send to label", icon=":material/label:")
def label_dialog(project: Project, uids: Uids = ()) -> None:
    """Add the calls to a dataset and ask teammates whether the answers are right."""
    studio = current_studio()
    st.markdown(f"{_how_many(chosen_calls(project, uids))} They join a dataset, and teammates say what is right.")
    chosen, name = _which_dataset(project)
    title = st.text_input("Name of the task", free_name([task.name for task in studio.labeling.all(project.id)]))
    people = st.multiselect("Who", studio.labeling.teammates(), placeholder="Everybody who may label", key="label_who")
    answers = st.segmented_control("Answers per call", [1, 2, 3], default=1, required=True, key="label_answers")
    if st.button("Send", type="primary", key="label_now", icon=":material/send:"):
        with reported_errors():
            dataset = _dataset(project, chosen, name)
            examples = studio.datasets.pick(current_actor(), dataset.id, _listed(project, uids))
            ids = tuple(example.id for example in examples)
            draft = TaskDraft(
                dataset.id, title, size=len(ids), answers_per_item=answers or 1, people=tuple(people), examples=ids
            )
            made = studio.labeling.create(current_actor(), draft)
            st.switch_page(page_path("label"), query_params={"id": made.id})


@st.dialog("Mark as golden", icon=":material/verified:")
def golden_dialog(project: Project, uids: Uids = ()) -> None:
    """Make the calls golden examples: a person stands by their answers, and no model is trained on them."""
    st.markdown(f"{_how_many(chosen_calls(project, uids))} You say that each answer, or its correction, is right.")
    chosen, name = _which_dataset(project)
    st.caption("Golden examples measure models on Evaluate. Their prompts are never trained on.")
    if st.button("Mark as golden", type="primary", key="golden_now"):
        with reported_errors():
            dataset = _dataset(project, chosen, name)
            done = current_studio().datasets.mark_golden(current_actor(), dataset.id, _listed(project, uids))
            st.toast(golden_words(done, dataset.name), icon=":material/verified:", duration="long")
            st.rerun()


def golden_words(done: Golden, dataset: str) -> str:
    """What marking did, in words."""
    words = f"{done.marked:,} golden {'example' if done.marked == 1 else 'examples'} in {dataset}."
    if done.moved:
        words += f" {done.moved:,} were training examples: freeze a new version before you train or evaluate."
    if done.unusable:
        words += f" {done.unusable:,} failed or have no answer; correct them first."
    return words


def chosen_calls(project: Project, uids: Uids) -> LogFilter:
    """The selected calls, or what the address means."""
    return LogFilter(project.id, uids=uids) if uids else place.criteria(project)


def _listed(project: Project, uids: Uids) -> Uids:
    """The selected calls, or those that the filters show, where they are few enough to be picked by hand."""
    if uids:
        return uids
    criteria, found, after = place.criteria(project), list[str](), None
    while True:
        page = current_studio().explorer.page(criteria, place.order(), after, 100)
        found += [row.uid for row in page.rows]
        after = page.next
        if not after or len(found) > MOST:
            break
    if len(found) > MOST:
        raise InvalidInput(f"The filters show more than {MOST} calls. Narrow them, or add everything to a dataset.")
    return tuple(found)


def _how_many(criteria: LogFilter) -> str:
    if criteria.uids:
        return f"**{len(criteria.uids):,}** selected {'call' if len(criteria.uids) == 1 else 'calls'}."
    count = current_studio().explorer.count(criteria)
    return f"**{count}** {'call' if count.n == 1 and count.exact else 'calls'} matched by the filters."


def _which_dataset(project: Project) -> tuple[str, str]:
    names = [dataset.name for dataset in current_studio().datasets.all(project.id)]
    chosen = st.selectbox("Dataset", [*names, NEW], key="add_to")
    name = st.text_input("Name", value="" if names else "main", max_chars=120, key="add_name") if chosen == NEW else ""
    return chosen, name


def _dataset(project: Project, chosen: str, name: str) -> Dataset:
    datasets = current_studio().datasets
    if chosen == NEW:
        return datasets.create(current_actor(), project.id, name)
    return next(dataset for dataset in datasets.all(project.id) if dataset.name == chosen)
