"""The secrets of authenticator apps and recovery codes, which the key ring seals: which key each needs, wrapped again.

They lie in a JSON column of allauth's, sealed by ``config.accounts.SecondFactorAdapter``; security keys hold no secret.
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.db import transaction

from crm.encryption.values import house_key_id
from crm.keyring import ring

NAMES = ("secret", "seed", "migrated_codes")


def usage() -> Counter[str]:
    """Return how many rows need each key of the ring."""
    found: Counter[str] = Counter()
    for data in Authenticator.objects.values_list("data", flat=True).iterator():
        found.update({_key_id(text) for text in _sealed(data)})
    return found


def rewrap(batch: int) -> Iterator[int]:
    """Seal by the ring's current key what older ones sealed; yield how many rows after each transaction."""
    last = 0
    while True:
        with transaction.atomic():
            # Locked, since a recovery code that is used just now is noted in the same column.
            rows = list(Authenticator.objects.select_for_update().filter(pk__gt=last).order_by("pk")[:batch])
            done = sum(_rewrapped(row) for row in rows)
        if not rows:
            return
        last = rows[-1].pk
        if done:
            yield done


def _rewrapped(row: Authenticator) -> bool:
    if all(_key_id(text) == ring().current for text in _sealed(row.data)):
        return False
    row.data |= {name: _again(row.data[name]) for name in NAMES if name in row.data}
    row.save(update_fields=["data"])
    return True


def _again(value: Any) -> Any:
    if isinstance(value, list):
        return [_again(one) for one in value]
    adapter = get_adapter()
    return adapter.encrypt(adapter.decrypt(value))


def _sealed(data: dict[str, Any]) -> list[str]:
    found = [data[name] for name in NAMES if name in data]
    return [text for value in found for text in (value if isinstance(value, list) else [value])]


def _key_id(text: str) -> str:
    return house_key_id(b64decode(text))
