"""Lines of CSV that open in a spreadsheet as they are: nothing of them is run as a formula."""

import csv
from collections.abc import Iterable
from io import StringIO

MARK = "\ufeff"  # tells spreadsheets that a file is UTF-8
# Full-width signs too: Chinese and Japanese spreadsheets read them as the plain ones.
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def line(values: Iterable[object]) -> str:
    """Return one line; numbers stay numbers, texts that could be formulas get an apostrophe.

    >>> line([-1.5, "-1.5", None])
    "-1.5,'-1.5,\\r\\n"
    """
    buffer = StringIO()
    csv.writer(buffer).writerow([_harmless(value) for value in values])
    return buffer.getvalue()


def _harmless(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(STARTS) or text.lstrip().startswith(STARTS) else text
