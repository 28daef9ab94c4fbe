"""The windows in which customer service may write to a person, opened by what she does.

They do not add up: what she does sets messages and time to that scene's most. One that is open longer, with as many
messages left, stays.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.channels.wechat import limits
from campaigns.models import ChannelAccount, Inbound
from crm.copying import int_array, text_array

# In the order of people, so that two who open the same ones wait for each other in one direction only.
OPEN = """
INSERT INTO campaigns_servicewindow AS old (account_id, identifier_id, scene, opened_at, expires_at, remaining)
SELECT %(account)s, told.id, %(scene)s, told.at, told.at + %(lasts)s, %(messages)s
FROM unnest(%(ids)s::bigint[], %(at)s::timestamptz[]) AS told (id, at) ORDER BY told.id
ON CONFLICT (account_id, identifier_id) DO UPDATE SET scene = excluded.scene, opened_at = excluded.opened_at,
    expires_at = excluded.expires_at, remaining = excluded.remaining
WHERE old.opened_at < excluded.opened_at
  AND NOT (old.expires_at > excluded.expires_at AND old.remaining >= excluded.remaining)
"""


def open_each(rows: Sequence[Inbound], scene: str) -> None:
    """Open a scene's windows, each from when its person last did it."""
    by_account: dict[ChannelAccount, dict[int, datetime]] = {}
    for row in rows:
        if row.identifier_id is not None:
            latest = by_account.setdefault(row.account, {})
            latest[row.identifier_id] = max(row.happened_at, latest.get(row.identifier_id, row.happened_at))
    for account, latest in by_account.items():
        messages = limits.of(account, f"service_after_{scene}")
        seconds = limits.of(account, f"service_after_{scene}_seconds")
        if not messages or not seconds:
            continue
        values: dict[str, Any] = {
            "account": account.pk,
            "scene": scene,
            "lasts": timedelta(seconds=seconds),
            "messages": messages,
            "ids": int_array(latest),
            "at": text_array(at.isoformat() for at in latest.values()),
        }
        with connection.cursor() as cursor:
            cursor.execute(OPEN, values)
