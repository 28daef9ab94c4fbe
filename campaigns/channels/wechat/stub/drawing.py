"""Pictures of codes that the imitation draws: real ones, that lead nowhere."""

import struct
import zlib
from functools import lru_cache

import qrcode

BOX = 8  # dots of a module


@lru_cache(maxsize=64)
def code(text: str) -> bytes:
    """Return a QR code as PNG.

    >>> code("a=1")[:4], code("a=1") == code("a=1")
    (b'\\x89PNG', True)
    """
    made = qrcode.QRCode(border=2)
    made.add_data(text)
    rows: list[list[bool]] = made.get_matrix()
    lines = [b"\0" + bytes(0 if dark else 255 for dark in row for _ in range(BOX)) for row in rows for _ in range(BOX)]
    side = len(rows) * BOX
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)  # a byte a dot, grey
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(name, data) for name, data in parts)


def _part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
