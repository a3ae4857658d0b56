"""Captured text on its way to Argilla and back: shown as it is, counted in the same characters."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.label.argilla_suggestions import spans_for_browser, spans_from_browser
from studio.label.argilla_text import CUT, UNSHOWABLE, escaped, from_browser, plain, to_browser


class Tags(HTMLParser):
    """Collects tags; there should be none."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


@given(st.text())
def test_no_text_becomes_markup_and_every_text_has_its_length(text: str) -> None:
    assert Tags(escaped(text)).found == []
    assert len(plain(escaped(text))) == len(text)


@given(st.text(st.sampled_from("a&<>;#13lt \r\n\t😀é&amp;")))
def test_what_was_sent_can_be_read_back(text: str) -> None:
    assert plain(escaped(text)) == text


@pytest.mark.parametrize("bad", ["\x00", "\ud800", "\x1b", "\x0c"])
def test_what_no_browser_shows_is_replaced(bad: str) -> None:
    assert plain(escaped(f"a{bad}b")) == f"a{UNSHOWABLE}b"


@given(st.text(st.sampled_from("a😀é👍\n")), st.data())
def test_offsets_survive_the_browsers_way_of_counting(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert from_browser(text, to_browser(text, offset)) == offset


def test_spans_go_out_in_the_browsers_count_and_come_back() -> None:
    text = "😀 <b> 👍 end"
    spans = [{"start": 6, "end": 7, "label": "x"}, {"start": 8, "end": len(text), "label": "y"}]
    sent = spans_for_browser(text, spans)
    assert sent[0] == {"start": 7, "end": 9, "label": "x"}
    assert sent[1]["end"] <= len(escaped(text)), "Argilla checks offsets against the length of what it stores"
    assert spans_from_browser(escaped(text), sent) == spans


@pytest.mark.parametrize("length", [60, 61, 62, 63, 64, 65, 66])
def test_a_cut_splits_no_escaped_character(length: int) -> None:
    cut = escaped("<😀>" * 30, length)
    assert len(cut) <= length and cut.endswith(CUT)
    assert set(plain(cut.removesuffix(CUT))) <= set("<😀>")
