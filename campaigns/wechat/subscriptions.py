"""What people answer when they are asked to subscribe: each yes lets one message of that template leave.

Only the platform's own word counts here. A later no takes back what is left.
"""

from datetime import datetime

from django.db import connection
from django.db.models import Sum

from campaigns.channels.wechat.inbound import many, text_of
from campaigns.models import Credit, Inbound

ACCEPT, REJECT = "accept", "reject"


def answered(row: Inbound, now: datetime) -> None:
    """Add one for each template that was accepted; each popup counts once."""
    for one in many(row.told, "SubscribeMsgPopupEvent", "List"):
        if text_of(one, "SubscribeStatusString") == ACCEPT:
            _note(row, text_of(one, "TemplateId"), 1, Credit.Source.POPUP, now)


def changed(row: Inbound, now: datetime) -> None:
    """Take back what is left of each template that was switched off in the settings."""
    for one in many(row.told, "SubscribeMsgChangeEvent", "List"):
        template = text_of(one, "TemplateId")
        if text_of(one, "SubscribeStatusString") == REJECT and row.identifier_id is not None:
            _lock(row, template)
            # Also where nothing is left: of a template that lasts, this line is what holds.
            left = balance(row.account_id, row.identifier_id, template)
            _note(row, template, -left, Credit.Source.REFUSED, now)


def balance(account: int, identifier: int, template: str) -> int:
    """Return how many messages of a template a person still lets leave."""
    rows = Credit.objects.filter(account_id=account, identifier_id=identifier, template_id=template[:64])
    return max(0, rows.aggregate(left=Sum("delta"))["left"] or 0)


def _lock(row: Inbound, template: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"credits {row.account_id} {row.identifier_id} {template}"],
        )


def _note(row: Inbound, template: str, delta: int, why: str, now: datetime) -> None:
    if row.identifier_id is None or not template:
        return
    key = f"{why}:{row.account_id}:{row.key.removeprefix('event:')[:40]}:{template}"[:128]
    line = Credit(
        account=row.account, identifier_id=row.identifier_id, template_id=template[:64], delta=delta, source=why,
        key=key, at=min(row.happened_at, now),
    )  # fmt: skip
    Credit.objects.bulk_create([line], ignore_conflicts=True)
