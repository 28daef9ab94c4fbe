"""How many messages a text is on a telephone: 160 signs of GSM's own alphabet, or 70 of any other (3GPP TS 23.038)."""

from dataclasses import dataclass

# TS 23.038, section 6.2.1; the second line takes an escape before it, so each counts twice.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, kw_only=True)
class Length:
    """The units of a text, how many one part holds, and in how many parts it leaves."""

    units: int
    in_part: int
    parts: int
    gsm: bool


def length(text: str) -> Length:
    """Measure a text; several parts have a header each, which leaves 153 or 67 units to them.

    An extended sign, or a pair of surrogates, is never cut in two, so a part may stay short of one unit.

    >>> length("a" * 160).parts, length("a" * 161).parts, length("好" * 70).parts, length("好" * 71).parts
    (1, 2, 1, 2)
    >>> length("€" * 80).parts, length("€" * 81).parts, length("😀" * 35).parts, length("😀" * 36).parts
    (1, 2, 1, 2)
    >>> length("").parts
    0
    """
    gsm = BASIC.union(EXTENDED).issuperset(text)
    widths = [2 if (one in EXTENDED if gsm else ord(one) > 0xFFFF) else 1 for one in text]
    units, whole, piece = sum(widths), *((160, 153) if gsm else (70, 67))
    if units <= whole:
        return Length(units=units, in_part=whole, parts=1 if units else 0, gsm=gsm)
    parts, left = 1, piece
    for width in widths:
        if width > left:
            parts, left = parts + 1, piece
        left -= width
    return Length(units=units, in_part=piece, parts=parts, gsm=gsm)
