"""The tree derived again from its leaves, and what was signed for it."""

from collections.abc import Iterator, Mapping
from functools import partial

from crm import checkpoints
from crm.fsck.report import Problem, Report, rows_of
from crm.ledger import LARGEST_SIZE, Fold
from crm.models import Checkpoint, Leaf, Tile
from crm.signed_notes import NoteError, verify
from crm.tree import TILE_LEVELS


def check_tree(held: Mapping[int, bytes], report: Report) -> Iterator[Problem]:
    """Build the tree from its leaves; compare every tile, every checkpoint, and every checkpoint held elsewhere."""
    tiles, found = _Tiles(), list[Problem]()
    fold = Fold(lambda *tile: found.extend(tiles.compare(*tile)))
    signed = rows_of(Checkpoint.objects.order_by("size"))
    checkpoint = next(signed, None)
    for sequence, hash_ in rows_of(Leaf.objects.order_by("sequence").values_list("sequence", "hash")):
        if sequence != fold.size:
            yield Problem("crm_leaf", str(fold.size), f"is missing; the next one is {sequence}")
            return
        fold.add(hash_)
        report.count("leaves")
        yield from found
        found.clear()
        if checkpoint is not None and checkpoint.size == fold.size:
            yield from _same_root("crm_checkpoint", fold, checkpoint.root)
            checkpoint = next(signed, None)
        if fold.size in held:
            yield from _same_root("held elsewhere", fold, held[fold.size])
    yield from tiles.left_over()
    yield from _ends(fold, checkpoint, held)


def _same_root(table: str, fold: Fold, root: bytes) -> Iterator[Problem]:
    if fold.root() != root:
        yield Problem(table, str(fold.size), "the leaves lead to another root")


def _ends(fold: Fold, checkpoint: Checkpoint | None, held: Mapping[int, bytes]) -> Iterator[Problem]:
    """Compare where the leaves end with where the checkpoints do."""
    if checkpoint is not None:
        yield Problem("crm_checkpoint", str(checkpoint.size), f"there are no such {checkpoint.size} leaves")
    last = checkpoints.latest()
    if fold.size and (last is None or last.size < fold.size):
        yield Problem("crm_leaf", str(fold.size - 1), "no checkpoint signs for it")
    for size in held:
        if size > fold.size:
            yield Problem("held elsewhere", str(size), f"the ledger was cut off: it has {fold.size} leaves")
        if size < 1:
            yield Problem("held elsewhere", str(size), "signs for nothing")


class _Tiles:
    """The stored tiles of each level, in the order in which the tree completes them."""

    def __init__(self) -> None:
        levels = range(TILE_LEVELS, LARGEST_SIZE.bit_length(), TILE_LEVELS)
        self._levels = {level: rows_of(Tile.objects.filter(level=level).order_by("index")) for level in levels}
        self._next = {level: next(tiles, None) for level, tiles in self._levels.items()}

    def compare(self, level: int, index: int, hash_: bytes) -> Iterator[Problem]:
        if level % TILE_LEVELS:
            return
        tile = self._next[level]
        if tile is None or tile.index != index:
            yield Problem("crm_tile", f"{level}/{index}", "is missing")
            return
        self._next[level] = next(self._levels[level], None)
        if tile.hash != hash_:
            yield Problem("crm_tile", f"{level}/{index}", "the leaves lead to another hash")

    def left_over(self) -> Iterator[Problem]:
        for tile in filter(None, self._next.values()):
            yield Problem("crm_tile", f"{tile.level}/{tile.index}", "has no leaves, or is there twice")
        for tile in Tile.objects.exclude(level__in=self._levels)[:10]:
            yield Problem("crm_tile", f"{tile.level}/{tile.index}", "is of no known level")


def check_signatures(report: Report) -> Iterator[Problem]:
    """Verify what was signed, and that the rows say the same."""
    keys, size = checkpoints.verifier_keys(), 0
    for row in rows_of(Checkpoint.objects.order_by("size")):
        report.count("checkpoints")
        problem = partial(Problem, "crm_checkpoint", str(row.size))
        try:
            signed = verify(row.note, keys)
        except NoteError as error:
            yield problem(str(error))
        else:
            if (signed.size, signed.root) != (row.size, row.root):
                yield problem("the note says something else")
        if row.leaves != row.size - size:
            yield problem(f"adds {row.size - size} leaves, not {row.leaves}")
        size = row.size
