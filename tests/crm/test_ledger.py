"""The Merkle tree: published vectors, every small tree, and random large ones."""

import json
from base64 import b64decode
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.ledger import (
    EMPTY_ROOT,
    Fold,
    ProofError,
    consistency_proof,
    cover,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "merkle_vectors.json"
SMALL = 64
LEAVES = [leaf_hash(n.to_bytes(4)) for n in range(SMALL)]


def recursive_root(hashes: list[bytes]) -> bytes:
    """Return the root as the RFC defines it (§2.1.1), word by word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(recursive_root(hashes[:k]), recursive_root(hashes[k:]))


@cache
def node(level: int, index: int) -> bytes:
    """Answer with nodes of an endless tree."""
    if level == 0:
        return LEAVES[index] if index < SMALL else leaf_hash(index.to_bytes(4))
    return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


ROOTS = [recursive_root(LEAVES[:size]) for size in range(SMALL + 1)]


def accepted(verify: Any, *claim: Any) -> bool:
    """Tell whether a proof is accepted; anything but acceptance and ProofError fails the test."""
    try:
        verify(*claim)
    except ProofError:
        return False
    return True


def decoded(text: str | None) -> bytes:
    return b64decode(text or "")


def claim_of(question: str, case: dict[str, Any]) -> tuple[Any, ...]:
    proof = [decoded(step) for step in case["proof"] or []]
    if question == "inclusion":
        return case["leafIdx"], case["treeSize"], decoded(case["leafHash"]), decoded(case["root"]), proof
    return case["size1"], case["size2"], decoded(case["root1"]), decoded(case["root2"]), proof


@pytest.mark.skipif(not VECTORS.exists(), reason="the published vectors are not here")
def test_all_196_published_vectors_answer_as_they_should() -> None:
    vectors = json.loads(VECTORS.read_text())
    verify = {"inclusion": verify_inclusion, "consistency": verify_consistency}
    answers = [
        (question, case["name"], accepted(verify[question], *claim_of(question, case)), not case["wantErr"])
        for question in verify
        for case in vectors[question]
    ]
    assert [answer for answer in answers if answer[2] != answer[3]] == []
    assert (len(answers), sum(not wanted for *_, wanted in answers)) == (196, 184)


def test_roots_are_those_of_the_definition() -> None:
    assert [root_of(LEAVES[:size]) for size in range(SMALL + 1)] == ROOTS
    assert root_of([]) == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def test_every_leaf_of_every_small_tree_has_a_proof_that_fits_nothing_else() -> None:
    proofs = 0
    for size in range(1, SMALL + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, node)
            verify_inclusion(index, size, LEAVES[index], ROOTS[size], proof)
            assert not accepted(verify_inclusion, index, size, LEAVES[index ^ 1], ROOTS[size], proof)
            assert not accepted(verify_inclusion, index, size, LEAVES[index], ROOTS[size - 1], proof)
            assert not accepted(verify_inclusion, index, size, LEAVES[index], ROOTS[size], [*proof, LEAVES[0]])
            proofs += 1
    for newer in range(1, SMALL + 1):
        for older in range(1, newer + 1):
            proof = consistency_proof(older, newer, node)
            verify_consistency(older, newer, ROOTS[older], ROOTS[newer], proof)
            assert not accepted(verify_consistency, older, newer, ROOTS[older - 1], ROOTS[newer], proof)
            assert not accepted(verify_consistency, older, newer, ROOTS[older], ROOTS[newer - 1], proof)
            proofs += 1
    assert proofs == 4160


def test_a_proof_for_one_place_is_none_for_another() -> None:
    for size in range(2, SMALL + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, node)
            others = [other for other in range(size) if other != index]
            assert not any(accepted(verify_inclusion, n, size, LEAVES[index], ROOTS[size], proof) for n in others)


def test_ten_thousand_random_proofs_of_large_trees_are_accepted_and_broken_ones_are_not() -> None:
    random = Random(196)
    size = 5000
    roots = [EMPTY_ROOT]
    fold = Fold()
    for index in range(size):
        fold.add(node(0, index))
        roots.append(fold.root())
    for _ in range(5000):
        newer = random.randint(1, size)
        index, older = random.randrange(newer), random.randint(1, newer)
        included, consistent = inclusion_proof(index, newer, node), consistency_proof(older, newer, node)
        verify_inclusion(index, newer, node(0, index), roots[newer], included)
        verify_consistency(older, newer, roots[older], roots[newer], consistent)
        assert not accepted(verify_inclusion, index, newer, node(0, index), roots[newer], flipped(included, random))
        broken = flipped(consistent, random)
        assert not accepted(verify_consistency, older, newer, roots[older], roots[newer], broken)


def flipped(proof: list[bytes], random: Random) -> list[bytes]:
    """Return the proof with one bit changed, or with a step too many where it has none."""
    if not proof:
        return [random.randbytes(32)]
    place = random.randrange(len(proof))
    changed = bytearray(proof[place])
    changed[random.randrange(32)] ^= 1 << random.randrange(8)
    return [*proof[:place], bytes(changed), *proof[place + 1 :]]


HASHES = st.binary(min_size=32, max_size=32)


@given(st.integers(), st.integers(), st.binary(max_size=40), st.binary(max_size=40), st.lists(st.binary(max_size=40)))
def test_nothing_random_is_accepted_and_nothing_but_a_proof_error_is_raised(
    first: int, second: int, one: bytes, other: bytes, proof: list[bytes]
) -> None:
    trivially_true = one == other and not proof
    if not trivially_true:
        assert not accepted(verify_inclusion, first, second, one, other, proof)
        assert not accepted(verify_consistency, first, second, one, other, proof)


ROOT = ROOTS[5]
GOOD = inclusion_proof(2, 5, node)


@pytest.mark.parametrize(
    "claim",
    [
        ("2", 5, LEAVES[2], ROOT, GOOD),
        (True, 5, LEAVES[2], ROOT, GOOD),
        (2, 5.0, LEAVES[2], ROOT, GOOD),
        (2, 2**63, LEAVES[2], ROOT, GOOD),
        (-3, 5, LEAVES[2], ROOT, GOOD),
        (2, 5, LEAVES[2].hex(), ROOT, GOOD),
        (2, 5, bytearray(LEAVES[2]), ROOT, GOOD),
        (2, 5, LEAVES[2], ROOT[:31], GOOD),
        (2, 5, LEAVES[2], None, GOOD),
        (2, 5, LEAVES[2], ROOT, None),
        (2, 5, LEAVES[2], ROOT, b"".join(GOOD)),
        (2, 5, LEAVES[2], ROOT, iter(GOOD)),
        (2, 5, LEAVES[2], ROOT, [*GOOD[:2], b"".join(GOOD[2:]) + b"\0"]),
        (2, 5, LEAVES[2], ROOT, [*GOOD[:2], None]),
    ],
)
def test_wrong_types_lengths_and_ranges_are_refused_as_proofs(claim: tuple[Any, ...]) -> None:
    verify_inclusion(2, 5, LEAVES[2], ROOT, GOOD)
    with pytest.raises(ProofError):
        verify_inclusion(*claim)
    index, size, leaf, root, proof = claim
    with pytest.raises(ProofError):
        verify_consistency(index, size, leaf, root, proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_is_built_for_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        inclusion_proof(index, size, node)


@pytest.mark.parametrize(("older", "newer"), [(0, 5), (6, 5), (-1, 5)])
def test_no_proof_leads_from_nothing_or_backwards(older: int, newer: int) -> None:
    with pytest.raises(ProofError):
        consistency_proof(older, newer, node)


def parts(size: int, wanted: list[int]) -> Iterator[tuple[int, int]]:
    """Yield wanted leaves and cover nodes in order of position."""
    found = [(level, index) for level, index in cover(size, wanted)] + [(0, leaf) for leaf in wanted]
    yield from sorted(found, key=lambda part: part[1] << part[0])


@st.composite
def wishes(draw: st.DrawFn) -> tuple[int, list[int]]:
    size = draw(st.integers(1, 3000))
    return size, sorted(draw(st.sets(st.integers(0, size - 1), max_size=60)))


@given(wishes())
def test_wanted_leaves_and_their_cover_fold_to_the_root(wish: tuple[int, list[int]]) -> None:
    size, wanted = wish
    fold, whole = Fold(), Fold()
    for level, index in parts(size, wanted):
        assert index << level == fold.size
        fold.add(node(level, index), level)
    for level, index in cover(size, []):
        whole.add(node(level, index), level)
    assert (fold.size, fold.root()) == (size, whole.root())


@given(wishes())
def test_a_cover_is_as_small_as_it_can_be(wish: tuple[int, list[int]]) -> None:
    size, wanted = wish
    covered = set(cover(size, wanted))
    # Two sisters would be one node more than needed; a node over a wanted leaf would hide it.
    assert not any((level, index ^ 1) in covered for level, index in covered if index)
    assert not any(leaf >> level == index for level, index in covered for leaf in wanted)
    assert len(covered) <= max(1, len(wanted)) * 2 * size.bit_length()


@pytest.mark.parametrize("wanted", [[3, 2], [2, 2], [8], [-1]])
def test_wishes_out_of_order_or_outside_are_refused(wanted: list[int]) -> None:
    with pytest.raises(ProofError):
        list(cover(8, wanted))


def test_a_subtree_that_cannot_begin_here_is_refused() -> None:
    fold = Fold()
    fold.add(LEAVES[0])
    with pytest.raises(ProofError):
        fold.add(node(1, 1), 1)
    with pytest.raises(ProofError):
        fold.add(LEAVES[1], -1)
    assert fold.size == 1
