"""Endpoints that are told: made with a secret, tried, rotated, switched off and on, and told again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.crypto import get_random_string

from campaigns import egress, outgoing, standard_webhooks
from campaigns.models import WebhookEndpoint, WebhookMessage
from campaigns.outgoing import Fact, worker
from campaigns.outgoing.worker import Answer

OVERLAP = timedelta(days=1)  # in which the old secret signs too


class BadAddress(ValueError):
    """An address that this server may not call; the message is a code."""


def check(url: str) -> None:
    """Raise :class:`BadAddress` for an address into our own network, or one that is none."""
    try:
        egress.check_resolved(url)
    except egress.Forbidden as error:
        raise BadAddress(str(error)) from error
    except UnicodeError as error:  # a name that is none in the DNS
        raise BadAddress("malformed") from error


def create(name: str, url: str, kinds: list[str], now: datetime) -> tuple[WebhookEndpoint, str]:
    """Return a new endpoint and its secret, which is shown this once."""
    check(url)
    secret = standard_webhooks.new_secret()
    made = WebhookEndpoint(name=name, url=url, kinds=sorted(set(kinds)), secret=secret, created_at=now)
    made.save()
    return made, secret


def change(endpoint: WebhookEndpoint, told: Mapping[str, Any]) -> None:
    """Change name, address or kinds; nothing of it touches secrets or what waits."""
    if unknown := set(told) - {"name", "url", "kinds"}:
        raise ValueError(f"An endpoint has no such facts to change: {', '.join(sorted(unknown))}.")
    if "url" in told:
        check(told["url"])
    if told:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**told)


def rotate(endpoint: WebhookEndpoint, now: datetime, overlap: timedelta = OVERLAP) -> str:
    """Give an endpoint a new secret and return it; the one before signs beside it for a day."""
    with transaction.atomic():
        held = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        held.old_secret, held.old_secret_until = held.secret, now + overlap
        held.secret = secret = standard_webhooks.new_secret()
        held.save(update_fields=["secret", "old_secret", "old_secret_until"])
    return secret


def ping(endpoint: WebhookEndpoint, now: datetime) -> Answer:
    """Send a message that means nothing, at once, and return what came of it; it stands in the log, tried once."""
    fact = Fact(kind=outgoing.PING, key=get_random_string(20), happened_at=now, data={"message": "Hello"})
    message = outgoing.message(endpoint.pk, fact, now)
    message.next_at, message.attempts = None, 1
    message.save(force_insert=True)
    message.refresh_from_db()
    answer = worker.send(worker.call_of(endpoint, message, now))
    worker.note(message, answer, now)
    return answer


def switch_off(endpoint: WebhookEndpoint) -> None:
    """Tell it nothing any more; what happens meanwhile is not kept for it."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(active=False, stopped_for=WebhookEndpoint.Why.BY_HAND)


def switch_on(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Tell it again, beginning with what was kept."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        active=True, stopped_for="", failures=0, failing_since=None, next_try_at=None
    )
    endpoint.messages.waiting().update(next_at=now)


def replay(message: WebhookMessage, now: datetime) -> None:
    """Tell one thing again, under the same number."""
    WebhookMessage.objects.filter(pk=message.pk).update(next_at=now, attempts=0, delivered_at=None)


def replay_since(endpoint: WebhookEndpoint, since: datetime, now: datetime, *, all_of_it: bool = False) -> int:
    """Tell again what was given up since a time, or everything; return how many messages that are."""
    rows = endpoint.messages.filter(created_at__gte=since).exclude(kind=outgoing.PING)
    return (rows if all_of_it else rows.given_up()).update(next_at=now, attempts=0, delivered_at=None)
