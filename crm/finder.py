"""Personal data in free text: where it is, and the text without it.

What has a structure is checked by it (identity numbers and cards by their check digits, phones by the numbering plan);
names and addresses are known by the words around them, so some will be missed: tests/crm/test_finder.py measures how
many. All of it runs in time linear in the text.
"""

import unicodedata
from collections.abc import Iterator, Sequence

from crm.masks import HIDDEN, MASKS
from crm.recognisers import Recogniser, Span, accounts, addresses, names, numbers, secrets

# Whoever comes first keeps the ground: what is sure stands above what is likely.
RECOGNISERS: Sequence[Recogniser] = (
    secrets.secrets,
    accounts.emails,
    numbers.identity_numbers,
    accounts.wechat_accounts,
    accounts.birth_dates,
    numbers.no_personal_numbers,
    numbers.documents,
    accounts.network_addresses,
    accounts.positions,
    numbers.phones,
    numbers.bank_cards,
    accounts.plates,
    addresses.english_addresses,
    secrets.fields,
    addresses.addresses,
    names.chinese_names,
    names.english_names,
)
SHORTEST = 5  # characters; nothing shorter can be told from a word
INVISIBLE = frozenset(
    chr(code)
    for code in (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xAD, 0x61C, 0x180E)
)
NARROW = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **{code: str(unicodedata.decimal(chr(code))) for code in range(0x80, 0x20000) if chr(code).isdecimal()},
    0x3000: " ", 0xA0: " ", 0x2010: "-", 0x2011: "-", 0x2012: "-", 0x2013: "-", 0x2212: "-",
}  # fmt: skip


def find(text: str) -> list[Span]:
    """Return the personal data in a text, in order and without overlaps.

    >>> find("订单号20231113800138000，电话１３８００１３８０００")
    [Span(start=23, end=34, kind='phone')]
    """
    if len(text) < SHORTEST:
        return []
    folded, positions = fold(text)
    spans = sorted(span for span in _free(folded) if span.kind)
    if positions is None:
        return spans
    return [Span(positions[span.start], positions[span.end - 1] + 1, span.kind) for span in spans]


MOST_PASSES = 8


def masked_text(text: str) -> str:
    """Return the text with all personal data in it masked. Masking twice changes nothing.

    >>> masked_text("我叫张小明，手机13800138000，订单号20231113800138000")
    '我叫张*，手机138****8000，订单号20231113800138000'
    """
    for _ in range(MOST_PASSES):  # what stands beside a mask may look like something else than before
        masked = _masked_once(text)
        if masked == text:
            break
        text = masked
    return text


def _masked_once(text: str) -> str:
    parts, at = [], 0
    for span in find(text):
        parts += [text[at : span.start], MASKS[span.kind](text[span.start : span.end]) or HIDDEN]
        at = span.end
    return "".join([*parts, text[at:]]) if parts else text


def fold(text: str) -> tuple[str, list[int] | None]:
    """Return the text as its reader sees it, and for each character where it stood (``None``: where it stands).

    >>> fold("１３\\u200b８")
    ('138', [0, 1, 3])
    """
    if text.isascii():
        return text, None
    narrow = text.translate(NARROW)
    if INVISIBLE.isdisjoint(narrow):
        return narrow, None
    kept = [index for index, character in enumerate(narrow) if character not in INVISIBLE]
    return "".join(narrow[index] for index in kept), kept


def _free(text: str) -> Iterator[Span]:
    """Yield what each recogniser found on ground that none above it took."""
    taken = bytearray(len(text))
    for recognise in RECOGNISERS:
        for span in recognise(text):
            yield from _not_taken(span, taken)
            taken[span.start : span.end] = b"\1" * (span.end - span.start)


def _not_taken(span: Span, taken: bytearray) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        end = taken.find(1, start, span.end)
        end = span.end if end < 0 else end
        if end - start > 1 or (start, end) == (span.start, span.end):
            yield Span(start, end, span.kind)
        start = end
        while start < span.end and taken[start]:
            start += 1
