"""Batches for SASRec: windows of people's histories, like lengths together, about as many places in each."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mlengine.estimators.sasrec_network import PADDING
from mlengine.estimators.sequences import Sequences
from mlengine.interactions import Ints

_FEWEST_PLACES: Final = 400
_STEPS: Final = 16  # an epoch, at least, where there are places for them


class Windows(NamedTuple):
    """Stretches of histories: where each starts and ends in ``Sequences.item``."""

    start: Ints
    end: Ints


def windows_of(sequences: Sequences, most: int, further: bool, random: np.random.Generator) -> Windows:
    """Return each person's latest ``most`` items, and if ``further`` as many stretches drawn from before as fit there.

    People with a single item are left out: nothing comes next.
    """
    people = np.flatnonzero(sequences.lengths > 1)
    starts, ends = sequences.starts[people], sequences.ends[people]
    latest_starts = np.maximum(starts, ends - most)
    if not further:
        return Windows(latest_starts, ends)
    again = np.repeat(np.arange(len(people)), (latest_starts - starts) // max(most - 1, 1))
    drawn = random.integers(starts[again], latest_starts[again])
    return Windows(np.r_[latest_starts, drawn], np.r_[ends, drawn + most])


def batches(sequences: Sequences, windows: Windows, *, places: int, random: np.random.Generator) -> Iterator[Tensor]:
    """Yield (n, longest) columns of items, padded after the newest: each window once.

    A batch holds at most ``places``, so that short histories come in larger batches and each place weighs the same in
    a step; of little data less, so that an epoch has steps. Which windows meet, and the order of batches, is drawn.
    """
    width = windows.end - windows.start
    places = min(places, max(_FEWEST_PLACES, int(width.sum()) // _STEPS))
    # A tenth of its length is drawn up or down: like lengths together, but not the same windows each time.
    order = np.argsort(width * random.uniform(0.9, 1.1, len(width)) + random.random(len(width)), kind="stable")
    groups = _groups(width[order], places)
    for group in random.permutation(len(groups)):
        some = order[slice(*groups[group])]
        yield _padded(sequences, windows.start[some], windows.end[some])


def latest(sequences: Sequences, people: Ints, most: int) -> Tensor:
    """Return people's last ``most`` items at most, each from the first column on, padded after the newest."""
    ends = sequences.ends[people]
    return _padded(sequences, np.maximum(sequences.starts[people], ends - most), ends)


def _padded(sequences: Sequences, start: Ints, end: Ints) -> Tensor:
    offset = np.arange(int((end - start).max(initial=1)))
    there = offset < (end - start)[:, None]
    return torch.from_numpy(np.where(there, sequences.item[np.where(there, start[:, None] + offset, 0)], PADDING))


def _groups(widths: Ints, places: int) -> list[tuple[int, int]]:
    """Return runs of rows that, each padded to the widest of its run, hold at most ``places``; one row at least."""
    groups, start, widest = [], 0, 0
    for row, width in enumerate(widths.tolist()):
        widest = max(widest, width)
        if row > start and (row + 1 - start) * widest > places:
            groups.append((start, row))
            start, widest = row, width
    return [*groups, (start, len(widths))] if len(widths) else []
