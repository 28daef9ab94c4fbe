"""The Merkle tree as it lies in the database: its nodes, read in blocks of 256 rows."""

from collections import OrderedDict
from collections.abc import Sequence

from django.db import connection

from crm.ledger import HASH_BYTES, Fold, Keep, frontier, node_hash

TILE_LEVELS = 8  # a tile is the root of 256 leaves or of 256 tiles
BLOCKS_KEPT = 64  # about 1 MB; a proof touches six

LEAVES = """
SELECT string_agg(hash, '' ORDER BY sequence), count(*), max(sequence) FROM crm_leaf WHERE sequence BETWEEN %s AND %s
"""
TILES = """
SELECT string_agg(hash, '' ORDER BY index), count(*), max(index) FROM crm_tile
WHERE level = %s AND index BETWEEN %s AND %s
"""

Block = dict[tuple[int, int], bytes]


class StoredTree:
    """Answers with any complete node of the tree; an instance serves one reader and one snapshot."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[tuple[int, int], Block] = OrderedDict()

    def __call__(self, level: int, index: int) -> bytes:
        """Return the node.

        Raises
        ------
        LookupError
            The database does not hold what the node is made of.
        """
        base = level - level % TILE_LEVELS
        number = index << (level - base) >> TILE_LEVELS
        try:
            return self._block(base, number)[level, index]
        except KeyError:
            raise LookupError(f"The ledger has lost rows below node {level}/{index}.") from None

    def fold(self, size: int, keep: Keep | None = None) -> Fold:
        """Return the tree of the first ``size`` leaves, ready to be added to."""
        fold = Fold(keep)
        for level, index in frontier(size):
            fold.add(self(level, index), level)
        return fold

    def _block(self, base: int, number: int) -> Block:
        key = base, number
        if key in self._blocks:
            self._blocks.move_to_end(key)
            return self._blocks[key]
        first = number << TILE_LEVELS
        block = self._blocks[key] = _grown(base, first, stored(base, first, first + 256))
        if len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return block


def stored(level: int, begin: int, end: int) -> list[bytes]:
    """Return the stored hashes of a level from ``begin`` on, up to before ``end`` or the last there is.

    Raises
    ------
    LookupError
        There is a gap.
    """
    # Joined by the database: one value is read far faster than 256 rows.
    with connection.cursor() as cursor:
        if level:
            cursor.execute(TILES, [level, begin, end - 1])
        else:
            cursor.execute(LEAVES, [begin, end - 1])
        joined, count, last = cursor.fetchone()
    if not count:
        return []
    if last != begin + count - 1:
        raise LookupError(f"The ledger has lost rows between {begin} and {last} of level {level}.")
    return [joined[place : place + HASH_BYTES].tobytes() for place in range(0, len(joined), HASH_BYTES)]


def _grown(base: int, first: int, hashes: Sequence[bytes]) -> Block:
    """Return the stored hashes and the seven levels between them and the next tile."""
    block: Block = {}
    for level in range(base, base + TILE_LEVELS):
        block |= {(level, first + place): hash_ for place, hash_ in enumerate(hashes)}
        pairs = zip(hashes[::2], hashes[1::2], strict=False)
        hashes, first = [node_hash(left, right) for left, right in pairs], first >> 1
    return block
