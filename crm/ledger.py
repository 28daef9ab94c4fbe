"""The Merkle tree of RFC 9162: hashes, proofs, and their verification, on bytes, without Django or a database.

Leaves are numbered from 0. A *node* ``(level, index)`` is the root of the complete subtree over the ``2**level`` leaves
from ``index * 2**level`` on; it never changes once those leaves are there, so it can be stored or cached. Builders take
a callable that answers with nodes; whoever has the leaves can give one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
LARGEST_SIZE = 2**63 - 1

Nodes = Callable[[int, int], bytes]  # level, index -> hash
Keep = Callable[[int, int, bytes], None]  # level, index, hash


class ProofError(ValueError):
    """A proof, or something that should be one, does not prove what it claims; the message says why."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf; the prefix keeps a node from passing as a leaf (RFC 9162 §2.1.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees that lie side by side."""
    return sha256(b"\x01" + left + right).digest()


class Fold:
    """A tree read from left to right in O(log n) memory: leaves, or whole subtrees where only their roots are known.

    >>> fold = Fold()
    >>> for leaf in (b"a", b"b", b"c"):
    ...     fold.add(leaf_hash(leaf))
    >>> fold.size, fold.root() == node_hash(node_hash(leaf_hash(b"a"), leaf_hash(b"b")), leaf_hash(b"c"))
    (3, True)
    """

    def __init__(self, keep: Keep | None = None) -> None:
        self.size = 0
        self._stack: list[tuple[int, bytes]] = []  # levels fall from bottom to top: the binary digits of the size
        self._keep = keep  # told of every subtree that becomes complete: level, index, hash

    def add(self, hash_: bytes, level: int = 0) -> None:
        """Append the subtree of ``2**level`` leaves with this root.

        Raises
        ------
        ProofError
            A subtree of that level cannot begin here.
        """
        stack = self._stack
        if level < 0 or (stack and stack[-1][0] < level):
            raise ProofError(f"A subtree of {2 ** max(level, 0)} leaves cannot begin at leaf {self.size}.")
        self.size += 1 << level
        while stack and stack[-1][0] == level:
            hash_ = node_hash(stack.pop()[1], hash_)
            level += 1
            if self._keep is not None:
                self._keep(level, (self.size >> level) - 1, hash_)
        stack.append((level, hash_))

    def root(self) -> bytes:
        """Return the root of what was added so far."""
        if not self._stack:
            return EMPTY_ROOT
        *rest, (_, root) = self._stack
        for _, left in reversed(rest):
            root = node_hash(left, root)
        return root


def root_of(hashes: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    fold = Fold()
    for hash_ in hashes:
        fold.add(hash_)
    return fold.root()


def frontier(size: int) -> list[tuple[int, int]]:
    """Return the nodes that a tree of ``size`` leaves consists of, from left to right.

    >>> frontier(6)
    [(2, 0), (1, 2)]
    """
    return list(pieces(0, size))


def pieces(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the fewest nodes that together are the leaves from ``begin`` to before ``end``.

    >>> list(pieces(3, 9))
    [(0, 3), (2, 1), (0, 8)]
    """
    while begin < end:
        aligned = (begin & -begin).bit_length() - 1 if begin else LARGEST_SIZE
        level = min(aligned, (end - begin).bit_length() - 1)
        yield level, begin >> level
        begin += 1 << level


def subtree(begin: int, end: int, nodes: Nodes) -> bytes:
    """Return the hash over the leaves from ``begin`` to before ``end`` as the tree holds it (MTH in the RFC)."""
    root = b""
    for level, index in reversed(list(pieces(begin, end))):
        root = node_hash(nodes(level, index), root) if root else nodes(level, index)
    return root or EMPTY_ROOT


def inclusion_proof(leaf_index: int, tree_size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the leaf is in the tree of this size (RFC 9162 §2.1.3.1); at most 63 hashes.

    Raises
    ------
    ProofError
        There is no such leaf in a tree of that size.
    """
    if not 0 <= leaf_index < tree_size:
        raise ProofError(f"A tree of {tree_size} leaves has no leaf {leaf_index}.")
    proof, begin, end = [], 0, tree_size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if leaf_index < middle:
            proof.append(subtree(middle, end, nodes))
            end = middle
        else:
            proof.append(subtree(begin, middle, nodes))
            begin = middle
    return proof[::-1]


def consistency_proof(size1: int, size2: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the first ``size1`` leaves of both trees are the same (RFC 9162 §2.1.4.1).

    Raises
    ------
    ProofError
        The first size is not between 1 and the second.
    """
    if not 0 < size1 <= size2:
        raise ProofError(f"No proof leads from {size1} to {size2} leaves.")
    proof, begin, end = [], 0, size2
    while size1 != end:
        middle = begin + _split(end - begin)
        if size1 <= middle:
            proof.append(subtree(middle, end, nodes))
            end = middle
        else:
            proof.append(subtree(begin, middle, nodes))
            begin = middle
    if begin:  # else the verifier has this hash already: it is the older root
        proof.append(subtree(begin, end, nodes))
    return proof[::-1]


def verify_inclusion(leaf_index: int, tree_size: int, leaf_hash: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree with this size and root has this leaf at this index (RFC 9162 §2.1.3.2).

    Raises
    ------
    ProofError
        It has not, or an argument is of a wrong type, length or range.
    """
    _check_numbers(leaf_index, tree_size)
    _check_hashes(leaf_hash, root)
    _check_proof(proof)
    if leaf_index >= tree_size:
        raise ProofError(f"A tree of {tree_size} leaves has no leaf {leaf_index}.")
    place, last, hash_ = leaf_index, tree_size - 1, leaf_hash
    for step in proof:
        if not last:
            raise ProofError("The proof is too long.")
        if place & 1 or place == last:
            hash_ = node_hash(step, hash_)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, step)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("The proof is too short.")
    if hash_ != root:
        raise ProofError("The proof leads to another root.")


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``size2`` only adds to the tree of ``size1`` (RFC 9162 §2.1.4.2).

    From an empty tree nothing can be concluded, so size 0 is refused.

    Raises
    ------
    ProofError
        It does not, or an argument is of a wrong type, length or range.
    """
    _check_numbers(size1, size2)
    _check_proof(proof)
    if not 0 < size1 <= size2:
        raise ProofError(f"No proof leads from {size1} to {size2} leaves.")
    if size1 == size2:
        _check_same(root1, root2, proof)
        return
    _check_hashes(root1, root2)
    if not proof:
        raise ProofError("The proof is too short.")
    older, newer = _follow(size1, size2, root1, proof)
    if older != root1:
        raise ProofError("The proof leads to another older root.")
    if newer != root2:
        raise ProofError("The proof leads to another newer root.")


def _follow(size1: int, size2: int, root1: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a consistency proof leads to."""
    place, last = size1 - 1, size2 - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    # Where the older tree is one whole subtree of the newer, its root is where the proof begins.
    start, *steps = proof if place else (root1, *proof)
    older = newer = start
    for step in steps:
        if not last:
            raise ProofError("The proof is too long.")
        if place & 1 or place == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("The proof is too short.")
    return older, newer


def cover(size: int, wanted: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the fewest nodes that, with the wanted leaves, are the whole tree: a proof for many leaves at once.

    ``wanted`` ascends. Folding wanted leaves and nodes in order of position (:class:`Fold`) gives the root.

    >>> list(cover(8, [3]))
    [(1, 0), (0, 2), (2, 1)]

    Raises
    ------
    ProofError
        The wanted leaves do not ascend, or lie outside the tree.
    """
    begin = 0
    for leaf in wanted:
        if not begin <= leaf < size:
            raise ProofError(f"Leaf {leaf} is out of order, or not in a tree of {size} leaves.")
        yield from pieces(begin, leaf)
        begin = leaf + 1
    yield from pieces(begin, size)


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_same(root1: object, root2: object, proof: Sequence[bytes]) -> None:
    # Nothing is hashed here, so, as the published vectors have it, any two equal byte strings pass.
    if proof:
        raise ProofError("The proof is too long.")
    if not isinstance(root1, bytes) or root1 != root2:
        raise ProofError("Two roots for one size.")


def _check_numbers(*numbers: int) -> None:
    for number in numbers:
        if type(number) is not int or not 0 <= number <= LARGEST_SIZE:
            raise ProofError(f"{number!r:.60} is not a size or an index.")


def _check_hashes(*hashes: object) -> None:
    for hash_ in hashes:
        if not isinstance(hash_, bytes) or len(hash_) != HASH_BYTES:
            raise ProofError(f"{hash_!r:.80} is not a hash of {HASH_BYTES} bytes.")


def _check_proof(proof: Sequence[bytes]) -> None:
    if not isinstance(proof, list | tuple):
        raise ProofError(f"A proof is a list of hashes, not {type(proof).__name__}.")
    _check_hashes(*proof)
