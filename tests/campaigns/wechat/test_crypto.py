"""Signatures and ciphers, by the platform's own examples and by somebody else's hand."""

import base64
import json
import os
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from campaigns.channels.wechat import crypto
from campaigns.channels.wechat.crypto import Key, NotGenuine
from campaigns.channels.wechat.stub import wire

TEXT = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
KEY, APP = Key.read(TEXT), "wx5823bf96d3bd56c7"


# The examples of the platforms' own pages ("Message push" and "Callbacks and their encryption").
PAGE_KEY, PAGE_APP, PAGE_TOKEN = Key.read("A" * 43), "wxba5fad812f8e6fb9", "AAAAA"
PAGE_BLOB = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8X"
    "GT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIj"
    "df8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
CORP_KEY, CORP, CORP_TOKEN = Key.read("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"), "wx5823bf96d3bd56c7", "QDG6eK"
CORP_ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="


def test_the_platforms_example_of_an_encrypted_message() -> None:
    expected = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
    crypto.check_signature(expected, PAGE_TOKEN, "1714112445", "415670741", PAGE_BLOB)
    told = json.loads(PAGE_KEY.open(PAGE_BLOB, PAGE_APP))
    assert (told["Event"], told["debug_str"], told["CreateTime"]) == ("debug_demo", "hello world", 1714112445)


def test_the_platforms_example_of_wecoms_address() -> None:
    expected = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"
    crypto.check_signature(expected, CORP_TOKEN, "1409659589", "263014780", CORP_ECHO)
    assert CORP_KEY.open(CORP_ECHO, CORP) == b"1616140317555161061"


def sealed(plain: bytes, key: Key = KEY) -> str:
    """Encrypt bytes as they are: with whatever padding they end in."""
    cipher = Cipher(algorithms.AES(key.raw), modes.CBC(key.raw[:16])).encryptor()
    return base64.b64encode(cipher.update(plain) + cipher.finalize()).decode()


def padded(plain: bytes) -> bytes:
    short = 32 - len(plain) % 32
    return plain + bytes([short]) * short


def told(text: bytes = b"<xml/>", receiver: str = APP, length: int | None = None) -> bytes:
    size = len(text) if length is None else length
    return os.urandom(16) + struct.pack(">I", size) + text + receiver.encode()


def test_the_platforms_example_of_a_signature() -> None:
    expected = "f464b24fc39322e44b38aa78f5edd27bd1441696"
    assert crypto.signature("AAAAA", "1714036504", "1514711492") == expected
    crypto.check_signature(expected, "AAAAA", "1714036504", "1514711492")


@pytest.mark.parametrize(
    "wrong", ["", "F464B24FC39322E44B38AA78F5EDD27BD1441696", "f464b24fc39322e44b38aa78f5edd27bd144169", "x", "签"]
)
def test_another_signature_is_none(wrong: str) -> None:
    with pytest.raises(NotGenuine):
        crypto.check_signature(wrong, "AAAAA", "1714036504", "1514711492")


def test_what_another_hand_encrypts_opens_and_the_other_way_round() -> None:
    words = "<xml><Content>你好</Content></xml>".encode()
    assert KEY.open(wire.encrypted(words, TEXT, APP), APP) == words
    assert wire.decrypted(KEY.seal(words, APP), TEXT) == (words, APP)


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 31, 32, 33, 65_000])
def test_every_length_of_padding(size: int) -> None:
    words = os.urandom(size)
    assert KEY.open(KEY.seal(words, APP), APP) == words


def test_a_key_whose_last_letter_carries_bits_that_mean_nothing() -> None:
    odd = Key.read(TEXT[:42] + "H")  # G and H differ in a bit that is no part of the 32 bytes
    assert odd.raw == KEY.raw


@pytest.mark.parametrize("text", ["", TEXT[:42], TEXT + "A", "!" * 43, "钥" * 43])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="43 letters"):
        Key.read(text)


@pytest.mark.parametrize(
    ("parcel", "check"),
    [
        ("", "blocks"),
        ("not base64!", "base64"),
        (base64.b64encode(b"short").decode(), "blocks"),
        (sealed(os.urandom(64)[:-1] + b"\x00"), "padding"),
        (sealed(os.urandom(64)[:-1] + b"\x21"), "padding"),
        (sealed(os.urandom(30) + b"\x01\x02"), "padding"),
        (sealed(os.urandom(14) + b"\x1f\x1f"), "padding"),
        (sealed(padded(b"0123456789")), "length"),
        (sealed(padded(told(length=2**31))), "length"),
        (sealed(padded(told(length=len(APP) + 7))), "length"),
        (sealed(padded(told(length=5))), "receiver"),
        (sealed(padded(told(receiver="wx0000000000000000"))), "receiver"),
        (sealed(padded(told(receiver=""))), "receiver"),
        (sealed(padded(told(receiver=APP + "x"))), "receiver"),
    ],
    ids=map(str, range(14)),  # their bytes are made anew each time
)
def test_each_check_refuses_in_its_turn(parcel: str, check: str) -> None:
    with pytest.raises(NotGenuine) as refused:
        KEY.open(parcel, APP)
    assert refused.value.check == check


def test_the_key_before_opens_too_and_a_third_does_not() -> None:
    before, other = Key.read("B" * 43), Key.read("C" * 43)
    parcel = before.seal(b"<xml/>", APP)
    assert crypto.open_by_any(parcel, [KEY, before], APP) == b"<xml/>"
    with pytest.raises(NotGenuine):
        crypto.open_by_any(parcel, [KEY, other], APP)
    with pytest.raises(NotGenuine):
        crypto.open_by_any(parcel, [], APP)


def test_an_answer_is_sealed_as_the_platform_reads_it() -> None:
    text = crypto.sealed_reply(b"<xml>1</xml>", KEY, APP, "token", "1714112445", "415670741").decode()
    blob = wire.field(text, "Encrypt")
    assert wire.field(text, "MsgSignature") == wire.signed("token", "1714112445", "415670741", blob)
    assert wire.decrypted(blob, TEXT) == (b"<xml>1</xml>", APP)
