"""Signed checkpoints: a published example, and everything that must not pass for one."""

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.signed_notes import NoteError, Signer, key_id, verify

SIGNER = Signer("crm.example.com/ledger", bytes(range(32)))
NOTE = SIGNER.sign(42, bytes(32))
KEYS = [SIGNER.verifier_key]

# The example in the documentation of Go's golang.org/x/mod/sumdb/note, signed by its authors.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_what_was_signed_is_read_back() -> None:
    signed = verify(NOTE, KEYS)
    assert (signed.origin, signed.size, signed.root) == ("crm.example.com/ledger", 42, bytes(32))


def test_key_ids_are_those_of_the_format() -> None:
    name, id_, typed = PETER.split("+", 2)
    assert key_id(name, b64decode(typed)[1:]).hex() == id_


def test_every_single_changed_character_is_noticed() -> None:
    for place, old in enumerate(NOTE):
        for new in {"A", "1", " ", "\n", "é", chr(ord(old) ^ 1)} - {old}:
            with pytest.raises(NoteError):
                verify(NOTE[:place] + new + NOTE[place + 1 :], KEYS)


def test_every_truncation_and_doubling_is_noticed() -> None:
    for place in range(len(NOTE)):
        with pytest.raises(NoteError):
            verify(NOTE[:place], KEYS)
    with pytest.raises(NoteError):
        verify(NOTE + NOTE, KEYS)


def test_a_witness_may_sign_too_but_not_instead() -> None:
    witness = Signer("witness.example.org", bytes(32))
    text, _, line = NOTE.partition("\n\n")
    theirs = witness.sign(42, bytes(32)).partition("\n\n")[2]
    assert verify(f"{text}\n\n{line}{theirs}", KEYS).size == 42
    with pytest.raises(NoteError, match="No known key"):
        verify(f"{text}\n\n{theirs}", KEYS)
    with pytest.raises(NoteError, match="No known key"):
        verify(f"{text}\n\n{theirs}", [witness.verifier_key])  # it signs for an origin that is not its own


@given(st.text(max_size=300))
def test_no_text_passes_and_none_breaks_the_parser(text: str) -> None:
    with pytest.raises(NoteError):
        verify(text, KEYS)


@pytest.mark.parametrize(
    "key", ["", "a+b", "a+zz+AA==", SIGNER.verifier_key[:-4], SIGNER.verifier_key.replace("crm", "crn")]
)
def test_a_mistyped_verifier_key_is_told(key: str) -> None:
    with pytest.raises(NoteError, match="is not a verifier key"):
        verify(NOTE, [key])
