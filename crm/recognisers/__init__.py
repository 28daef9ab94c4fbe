"""What personal data looks like in running text, one family a module.

Each recogniser yields spans of a text that was made narrow (:func:`crm.finder.fold`). All run in linear time: what
repeats is bounded, and an attempt begins only where a word or a number begins.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A piece of a text from ``start`` to before ``end``, and which personal data it is (:data:`crm.masks.MASKS`).

    An empty kind says that the piece is known to be none: an order number that would else pass for a phone.
    """

    start: int
    end: int
    kind: str


Recogniser = Callable[[str], Iterator[Span]]
