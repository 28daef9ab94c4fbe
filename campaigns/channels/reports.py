"""Reports on messages in our own words, signed by Standard Webhooks: from the imitation, and from a webhook's receiver.

``{"reports": [{"key": "…", "message": "<uuid>", "feedback": "delivered", "at": "2026-03-01T09:00:00Z", "code": "",
"permanent": false, "text": "", "address": ""}]}``
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from campaigns import standard_webhooks
from campaigns.channels.base import ChannelError, Feedback, Told
from campaigns.channels.over_http import json_body

MOST = 1000


def signed(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> list[Told]:
    """Return what signed reports tell; :class:`ChannelError` where they are forged, old, or no reports."""
    try:
        number = standard_webhooks.verify(secret, headers, body, now)
    except ValueError as error:
        raise ChannelError(str(error)) from error
    told = json_body(body)
    rows = told.get("reports") if isinstance(told, dict) else None
    if not isinstance(rows, list) or len(rows) > MOST or not all(isinstance(row, dict) for row in rows):
        raise ChannelError("A callback holds a list of at most 1000 reports.")
    return [_told(row, f"{number}/{index}", now) for index, row in enumerate(rows)]


def _told(row: Mapping[str, Any], key: str, now: datetime) -> Told:
    try:
        feedback = Feedback(str(row.get("feedback", "")))
        message = UUID(str(row["message"])) if row.get("message") else None
        at = parse_datetime(str(row.get("at", "")))
    except ValueError as error:
        raise ChannelError(f"This report cannot be read: {error}.") from error
    return Told(
        key=str(row.get("key") or key)[:128],
        feedback=feedback,
        happened_at=min(at, now) if at and at.tzinfo else now,
        delivery=message,
        code=str(row.get("code", ""))[:64],
        permanent=row.get("permanent") is True,
        address=str(row.get("address", ""))[:320],
        text=str(row.get("text", ""))[:2000],
    )
