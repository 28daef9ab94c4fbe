"""Addresses of an erased person stay suppressed: as keyed hashes, with no link to anybody."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from crm.encryption import suppression_keys
from crm.models import Identifier, Suppression

BASIS = "PIPL 47"


def suppress(profiles: Sequence[int], now: datetime) -> list[bytes]:
    """Suppress every address of these profiles on every channel; return the keys."""
    held = Identifier.objects.filter(profile__in=profiles)
    keys = sorted(set(suppression_keys((one.type, one.value) for one in held)))
    write(keys, now)
    return keys


def write(keys: Iterable[bytes], now: datetime) -> None:
    """Write suppressions; one that was there for a lesser reason becomes one for good."""
    rows = [Suppression(channel="", key=key, reason=Suppression.Why.ERASED, basis=BASIS, since=now) for key in keys]
    Suppression.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["key", "channel"], update_fields=["reason", "basis"]
    )
