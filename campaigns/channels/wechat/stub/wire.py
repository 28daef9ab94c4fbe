"""How the platform writes to an account's owner: signatures, AES, XML and JSON. An independent witness: a few lines."""

import base64
import hashlib
import json
import os
import re
import struct
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from campaigns.channels.wechat.stub.routing import Json

BLOCK = 32


def signed(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def _cipher(aes_key: str) -> "Cipher[modes.CBC]":
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def encrypted(text: bytes, aes_key: str, receiver: str) -> str:
    told = os.urandom(16) + struct.pack(">I", len(text)) + text + receiver.encode()
    short = BLOCK - len(told) % BLOCK
    cipher = _cipher(aes_key).encryptor()
    return base64.b64encode(cipher.update(told + bytes([short]) * short) + cipher.finalize()).decode()


def decrypted(blob: str, aes_key: str) -> tuple[bytes, str]:
    """Give the text and its receiver; ValueError if it cannot be read."""
    cipher = _cipher(aes_key).decryptor()
    told = cipher.update(base64.b64decode(blob)) + cipher.finalize()
    if len(told) < BLOCK or not 1 <= told[-1] <= BLOCK:
        raise ValueError("bad padding")
    told = told[: -told[-1]]
    if len(told) < 20:
        raise ValueError("too short")
    (size,) = struct.unpack(">I", told[16:20])
    return told[20 : 20 + size], told[20 + size :].decode()


def xml(message: Json, root: str = "xml") -> str:
    """Write a message as the platform does: numbers bare, words in CDATA, a list as repeated elements."""
    return f"<{root}>{''.join(_element(name, value) for name, value in message.items())}</{root}>"


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        return "".join(_element(name, one) for one in value)
    if isinstance(value, dict):
        return xml(value, name)
    if isinstance(value, (int, float)):
        return f"<{name}>{value}</{name}>"
    text = str(value)
    return f"<{name}>{escape(text)}</{name}>" if "]]>" in text else f"<{name}><![CDATA[{text}]]></{name}>"


def as_json(message: Json) -> str:
    """Write a message as JSON, with the platform's traps: a list of one is sent as the one, and stands on top."""
    flat = {**message}
    for name in [name for name in message if name.startswith("SubscribeMsg")]:
        flat |= flat.pop(name)
    return json.dumps(_unlisted(flat), ensure_ascii=False)


def _unlisted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _unlisted(one) for name, one in value.items()}
    if isinstance(value, list):
        return _unlisted(value[0]) if len(value) == 1 else [_unlisted(one) for one in value]
    return value


def field(text: str, name: str) -> str:
    """Read one element of a reply; empty if it is not there."""
    found = re.search(rf"<{name}>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</{name}>", text, re.DOTALL)
    return (found[1] if found[1] is not None else found[2]) if found else ""
