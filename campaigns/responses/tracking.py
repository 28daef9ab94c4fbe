"""Links followed and messages opened: written down at once, told to the event log soon after.

A request writes one row and is answered; nothing waits in memory, so a process that dies loses nothing. What a machine
asked for is marked, by what it says of itself, by when it came, and by how it went through a whole message at once; the
marked ones stand in the log and are left out of every rate. Addresses of the network are neither asked nor kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import orjson
from django.db import connection, transaction
from ua_parser import parse

from campaigns import outgoing
from campaigns.models import Visit
from campaigns.responses import links
from campaigns.runs.planning import source
from crm import ingest
from crm.models import Event
from crm.uuid7 import uuid7

LIVES = timedelta(days=400)  # of a link, from the plan of its message
AT_ONCE = timedelta(seconds=2)  # nobody reads so fast
BURST, BURST_WITHIN = 3, timedelta(seconds=1)  # so many different links of one message are followed by a scanner
SETTLES = timedelta(seconds=5)  # a burst is only seen when it is over
BATCH = 1000
MOST = 50_000

# Programs that say what they are: previews in chats, scanners of mail, crawlers, libraries.
MACHINES = re.compile(
    r"bot\b|bot/|crawl|spider|preview|scan|slurp|facebookexternalhit|whatsapp|telegram|discord|skypeuri|slack|linkedin"
    r"|barracuda|mimecast|proofpoint|safelinks|symantec|messagelabs|trendmicro|fortiguard|cloudmark|ironport|urlscan"
    r"|python|curl|wget|java/|okhttp|go-http|libwww|httpclient|headless|phantomjs|node-fetch|axios|apache-http",
    re.IGNORECASE,
)
# Apple fetches every picture beforehand under a name of one word (Mail Privacy Protection).
APPLE_PROXY = re.compile(r"Mozilla/5\.0")
PURPOSES = re.compile(r"prefetch|preview|prerender", re.IGNORECASE)
PURPOSE_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")

# One trip: where the link leads is read, and the visit written, in one statement.
FOLLOWED = """
WITH target AS (
    SELECT d.id, d.called_at, coalesce(l.url, '') AS url FROM campaigns_delivery d
    LEFT JOIN campaigns_link l ON l.id = %(link)s AND l.variant_id = d.variant_id
    WHERE d.id = %(delivery)s::uuid AND d.planned_at > %(since)s AND (%(link)s = 0 OR l.id IS NOT NULL)
), noted AS (
    INSERT INTO campaigns_visit (id, delivery_id, link, kind, automatic, device, system, browser, happened_at)
    SELECT %(id)s::uuid, id, %(link)s, %(kind)s, coalesce(nullif(%(automatic)s, ''),
           CASE WHEN called_at > %(too_soon)s THEN 'too_soon' ELSE '' END), %(device)s, %(system)s, %(browser)s, %(now)s
    FROM target
)
SELECT url FROM target
"""
# Whose rows those are, with what an event of theirs tells; a delivery that was erased has nobody left to tell of.
OWNERS = """
SELECT d.id, d.profile_id, d.channel, d.occasion, d.variant_id, r.campaign_id, c.name FROM campaigns_delivery d
LEFT JOIN campaigns_run r ON r.id = d.run_id LEFT JOIN campaigns_campaign c ON c.id = r.campaign_id
WHERE d.id = ANY (%s::uuid[])
"""


@dataclass(frozen=True, kw_only=True)
class Browser:
    """What a request tells of the program behind it, coarsely."""

    device: str = ""
    system: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request: by which method, and with which headers that matter (names in small letters)."""

    method: str
    headers: Mapping[str, str]


def follow(token: str, asked: Asked, now: datetime) -> str | None:
    """Write down that a link was followed, and return where it leads; nothing where there is no such link.

    Where it leads was decided when the message was written: the link's row, or what is sealed in the token.
    """
    opened = links.open(token)
    if opened is None or opened.link == links.OPEN:
        return None
    url = note(Event.Kind.CLICKED, opened, asked, now)
    return None if url is None else opened.url or url


def seen(token: str, asked: Asked, now: datetime) -> None:
    """Write down that a message was opened; whoever asks without a token of ours is not noted."""
    opened = links.open(token)
    if opened is None or opened.link != links.OPEN:
        return
    note(Event.Kind.OPENED, opened, asked, now)


def note(kind: Event.Kind, opened: links.Opened, asked: Asked, now: datetime) -> str | None:
    """Write one visit into the inbox; return where the link leads, nothing where there is no such message or link."""
    is_ = browser(asked.headers.get("user-agent", "")[:400])
    values: dict[str, str | int | datetime] = {
        "id": str(uuid7(now)),
        "delivery": str(opened.delivery),
        "link": opened.link,
        "since": now - LIVES,
        "kind": kind.value,
        "automatic": automatic(asked),
        "too_soon": now - AT_ONCE,
        "device": is_.device,
        "system": is_.system,
        "browser": is_.name,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(FOLLOWED, values)
        row: tuple[str] | None = cursor.fetchone()
    return row[0] if row else None


def automatic(asked: Asked) -> str:
    """Return why a request is a machine's by what it says of itself, or nothing where it may be a person's."""
    agent = asked.headers.get("user-agent", "")
    if asked.method == "HEAD":
        return "head"
    if any(PURPOSES.search(asked.headers.get(name, "")) for name in PURPOSE_HEADERS):
        return "prefetch"
    if not agent or MACHINES.search(agent[:400]):
        return "machine"
    if APPLE_PROXY.fullmatch(agent):
        return "mail_proxy"
    return ""


@lru_cache(maxsize=2048)
def browser(agent: str) -> Browser:
    """Return what kind of device a program's name tells of.

    >>> browser("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148").device
    'mobile'
    """
    told = parse(agent).with_defaults()
    system = told.os.family
    small = "Mobile" in agent or "iPhone" in agent
    tablet = "iPad" in agent or "Tablet" in agent or (system == "Android" and not small)
    device = "tablet" if tablet else "mobile" if small else "desktop" if agent else ""
    return Browser(device=device, system=system[:32], name=told.user_agent.family[:32])


def tell_log(now: datetime) -> int:
    """Tell the event log what is in the inbox and has settled; return how many visits left it."""
    done = 0
    while done < MOST and (told := _tell_some(now)):
        done += told
    return done


def _tell_some(now: datetime) -> int:
    # The row and its event change place in one transaction; whoever is killed between has done nothing.
    with transaction.atomic():
        settled = Visit.objects.filter(happened_at__lte=now - SETTLES).order_by("happened_at", "pk")
        rows = list(settled.select_for_update(skip_locked=True)[:BATCH])
        events = list(_events(rows, now))
        ingest.record_many(source(), events, now=now)
        outgoing.tell([_fact(event) for event in events], now)
        Visit.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _events(rows: Sequence[Visit], now: datetime) -> Iterator[ingest.NewEvent]:
    with connection.cursor() as cursor:
        cursor.execute(OWNERS, [[str(row.delivery_id) for row in rows]])
        owners = {owner[0]: owner[1:] for owner in cursor.fetchall()}
    bursts = _bursts(rows)
    for row in rows:
        if row.delivery_id not in owners:
            continue
        profile, channel, occasion, variant, campaign, name = owners[row.delivery_id]
        facts = {
            "campaign": campaign,
            "variant": variant,
            "delivery": str(row.delivery_id),
            "link": row.link or None,
            "automatic": row.automatic or ("burst" if row.pk in bursts else None),
            "device": row.device or None,
            "system": row.system or None,
            "program": row.browser or None,
        }
        yield ingest.NewEvent(
            kind=row.kind,
            profile_id=profile,
            occurred_at=row.happened_at,
            received_at=now,
            message_id=f"visit:{row.pk}",
            name=name or "",
            session=str(occasion),
            channel=channel,
            properties=orjson.dumps({key: value for key, value in facts.items() if value is not None}).decode(),
        )


def _fact(event: ingest.NewEvent) -> outgoing.Fact:
    told = orjson.loads(event.properties)
    names = ("delivery", "campaign", "variant", "link", "device")
    return outgoing.Fact(
        kind=f"delivery.{event.kind}",
        key=event.message_id,
        happened_at=event.occurred_at,
        profile=event.profile_id,
        data={name: told.get(name) for name in names}
        | {"run": event.session, "channel": event.channel, "automatic": bool(told.get("automatic"))},
    )


def _bursts(rows: Sequence[Visit]) -> set[UUID]:
    """Return the visits that followed many links of one message within a second."""
    by_delivery: dict[UUID, list[Visit]] = {}
    for row in rows:
        if row.link:
            by_delivery.setdefault(row.delivery_id, []).append(row)
    found: set[UUID] = set()
    for visits in by_delivery.values():
        visits.sort(key=lambda one: one.happened_at)
        for first in visits:
            near = [one for one in visits if timedelta() <= one.happened_at - first.happened_at <= BURST_WITHIN]
            if len({one.link for one in near}) >= BURST:
                found |= {one.pk for one in near}
    return found
