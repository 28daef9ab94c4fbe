"""Names that are the same however often and wherever they are computed."""

from collections.abc import Iterable
from hashlib import sha1
from uuid import UUID, uuid5

import numpy as np

from crm.copying import hexed, keys_of

NAMESPACE = UUID("0a6e8d53-52c5-5d0b-8f4e-2f6d3f0f7c11")  # ours: a delivery means the same in every deployment


def run_id(campaign: int, key: str) -> UUID:
    """Return the id of a campaign's run."""
    return uuid5(NAMESPACE, f"run {campaign} {key}")


def delivery_id(occasion: UUID, profile: int, channel: str) -> UUID:
    """Return the id of the one delivery of an occasion to a profile on a channel."""
    return uuid5(NAMESPACE, f"{occasion} {profile} {channel}")


def delivery_ids(occasion: UUID, profiles: Iterable[int], channels: Iterable[str]) -> list[str]:
    """Return :func:`delivery_id` of many, as 32 hexadecimal digits each.

    >>> delivery_ids(NAMESPACE, [7], ["sms"]) == [delivery_id(NAMESPACE, 7, "sms").hex]
    True
    """
    head = NAMESPACE.bytes + f"{occasion} ".encode()
    # sha1 as RFC 9562 §5.5 wants it: it names, it protects nothing.
    digests = [
        sha1(head + f"{profile} {channel}".encode(), usedforsecurity=False).digest()[:16]
        for profile, channel in zip(profiles, channels, strict=True)
    ]
    keys = keys_of(digests)
    keys[:, 0] = keys[:, 0] & np.uint64(0xFFFFFFFFFFFF0FFF) | np.uint64(0x5000)
    keys[:, 1] = keys[:, 1] & np.uint64(0x3FFFFFFFFFFFFFFF) | np.uint64(0x8000000000000000)
    return hexed(keys)
