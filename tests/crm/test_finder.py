"""The finder against sentences in which people marked what is personal, and against texts made to hang it."""

import re
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.finder import RECOGNISERS, find, masked_text
from crm.masks import MASKS
from tests.crm.sentences import MARKED, NOTHING

MARK = re.compile(r"\[(\w+)\|([^\]]+)\]")


def parted(line: str) -> tuple[str, set[tuple[str, str]]]:
    """Return a sentence without its marks, and what they mark as (kind, text)."""
    return MARK.sub(r"\2", line), set(MARK.findall(line))


CORPUS = [parted(line) for line in (MARKED + NOTHING).split("\n") if line]


def counted() -> tuple[Counter[str], list[str]]:
    """Return how many marks were found, missed and made up, and each error in words."""
    counts: Counter[str] = Counter()
    errors = []
    for text, marked in CORPUS:
        found = {(span.kind, text[span.start : span.end]) for span in find(text)}
        counts += Counter(found=len(found & marked), missed=len(marked - found), made_up=len(found - marked))
        errors += [f"{text}: missed {sorted(marked - found)}, made up {sorted(found - marked)}"] * (found != marked)
    return counts, errors


def test_of_marked_sentences_few_are_missed_and_few_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    counts, errors = counted()
    precision = counts["found"] / (counts["found"] + counts["made_up"])
    recall = counts["found"] / (counts["found"] + counts["missed"])
    with capsys.disabled():
        print(f"\nfinder: {len(CORPUS)} sentences, precision {precision:.3f}, recall {recall:.3f}")
    assert len(CORPUS) >= 150
    assert (precision, recall) >= (0.95, 0.95), "\n".join(errors)
    assert recall >= 0.95, "\n".join(errors)


HOSTILE = {
    "digits": "1",
    "phones": "13800138000 ",
    "almost phones": "138001380 ",
    "spaced digits": "1 ",
    "dashes": "1-",
    "ats": "@",
    "mailboxes": "a@",
    "dots": "a.",
    "hosts": "@a.b",
    "han": "路",
    "house numbers": "路1号",
    "surnames": "张",
    "names": "我叫",
    "colons": ":",
    "addresses": "1.2.3.",
    "quotes": '"name": "',
    "keys": "token=",
    "letters": "a",
    "capitals": "Aa ",
    "open ids": "oaB3aB3aB3aB3aB3aB3aB3aB3aB3",
    "dear": "Dear Anna ",
    "plates": "沪A1234",
    "address": "地址：路",
    "brackets": "((0",
    "joined": "张·",
    "invisible": "\u200b1",
    "full width": "１",
    "bearer": "Bearer ",
    "begin": "-----BEGIN PRIVATE KEY-----",
    "percent": "%41",
    "plus": "+1 ",
    "mr": "Mr. ",
    "numerals": "一",
    "positions": "31.1234,",
    "card": "4111 ",
    "my name is": "my name is ",
}


@pytest.mark.nightly
@pytest.mark.parametrize("seed", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_grows_with_the_text_and_not_faster(seed: str) -> None:
    quarter = _seconds(seed, 100_000)
    whole = _seconds(seed, 400_000)
    assert whole < max(8 * quarter, 0.4)  # a square would be 16 times
    assert whole < 8


def _seconds(seed: str, length: int) -> float:
    text = seed * (length // len(seed))
    start = time.process_time()
    find(text)
    return time.process_time() - start


@given(st.lists(st.sampled_from([text for text, _marks in CORPUS] + [*HOSTILE.values(), " ", "，"]), max_size=6))
@settings(max_examples=150, deadline=None)
def test_masking_twice_changes_nothing(texts: list[str]) -> None:
    once = masked_text("\n".join(texts))
    assert masked_text(once) == once


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_spans_are_in_order_and_within_the_text(text: str) -> None:
    spans = find(text)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= span.start < span.end <= len(text) and span.kind in MASKS for span in spans)


@pytest.mark.parametrize("mark", ["\u200b", "\u200d", "\u202e", "\u00ad", "\ufeff"])
def test_marks_that_nobody_sees_hide_nothing(mark: str) -> None:
    assert masked_text(f"打{mark.join('13800138000')}吧") == "打138****8000吧"
    assert masked_text(f"身份证{mark.join('11010519491231002X')}") == "身份证110**************X"


def test_every_recogniser_finds_something_in_the_sentences() -> None:
    for recognise in RECOGNISERS:
        assert any(list(recognise(text)) for text, _marks in CORPUS), recognise.__name__
