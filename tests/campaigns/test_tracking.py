"""Links in messages: where they lead, who is a machine, and that nothing is lost or led astray."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from campaigns.models import Delivery, Link, Visit
from campaigns.responses import links, tracking
from campaigns.runs import planning
from crm.models import Event
from tests.campaigns import factories
from tests.campaigns.test_messages import NOON
from tests.crm import consents

pytestmark = pytest.mark.django_db

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile Safari/604.1"
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def delivery() -> Delivery:
    """One accepted message, with three links."""
    campaign = factories.campaign(purpose=consents.purpose())
    variant = campaign.variants.get()
    run = planning.begin(campaign, "once", NOON)
    for position in range(3):
        Link.objects.create(
            variant=variant, channel="email", language="en", position=position, url=f"https://a.example/{position}"
        )
    return Delivery.objects.create(
        pk=uuid4(), occasion=run.pk, run=run, variant=variant, profile=factories.person(1, consent=False),
        channel="email", status="accepted", call=uuid4(), called_at=NOON, planned_at=NOON, due_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )  # fmt: skip


def asked(agent: str = PHONE, method: str = "GET", **headers: str) -> tracking.Asked:
    return tracking.Asked(method=method, headers={"user-agent": agent} | headers)


def numbers() -> list[int]:
    return list(Link.objects.order_by("position").values_list("pk", flat=True))


def told(now: datetime) -> list[dict[str, Any]]:
    tracking.tell_log(now + timedelta(minutes=1))
    return [event.properties for event in Event.objects.filter(kind__in=["clicked", "opened"]).order_by("occurred_at")]


def test_a_link_leads_where_the_message_said_and_is_told_once(delivery: Delivery) -> None:
    token = links.token(delivery.pk, numbers()[0])
    assert tracking.follow(token, asked(), LATER) == "https://a.example/0"
    sealed = links.token(delivery.pk, numbers()[1], "https://a.example/?city=上海")
    assert tracking.follow(sealed, asked(), LATER + timedelta(seconds=1)) == "https://a.example/?city=上海"
    facts = told(LATER)
    assert [fact["link"] for fact in facts] == numbers()[:2]
    assert [fact.get("automatic") for fact in facts] == [None, None]
    assert facts[0]["device"] == "mobile"
    assert told(LATER) == facts
    assert not Visit.objects.exists()


def test_no_token_but_ours_leads_anywhere_and_all_are_answered_alike(delivery: Delivery, client: Client) -> None:
    good = links.token(delivery.pk, numbers()[0])
    other = Link.objects.create(
        variant=factories.campaign("other").variants.get(),
        channel="email",
        language="en",
        position=0,
        url="https://b.x",
    )
    wrong = [
        *(good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :] for place in range(0, len(good), 3)),
        *("x", "A" * 43, good + "A", good[:-1], links.token(uuid4(), numbers()[0]), links.token(delivery.pk, 10**9)),
        *(links.token(delivery.pk, other.pk), links.token(delivery.pk, links.OPEN)),
    ]
    answers = {client.get(f"/l/{token}").content for token in wrong}
    assert len(answers) == 1
    assert {client.get(f"/l/{token}").status_code for token in wrong} == {404}
    Delivery.objects.filter(pk=delivery.pk).update(planned_at=NOON - tracking.LIVES)
    assert tracking.follow(good, asked(), NOON + timedelta(days=1)) is None
    assert not Visit.objects.exists()


def test_a_token_says_nothing_of_whom_it_is_for(delivery: Delivery) -> None:
    tokens = [links.token(delivery.pk, number) for number in numbers()]
    assert all(len(token) == 43 for token in tokens)
    assert len({token[:6] for token in tokens}) == 3
    assert links.open(tokens[0]) == links.Opened(delivery=UUID(str(delivery.pk)), link=numbers()[0])


@pytest.mark.parametrize(
    ("request_", "after", "why"),
    [
        (asked(), 300, None),
        (asked(method="HEAD"), 300, "head"),
        (asked(**{"sec-purpose": "prefetch;prerender"}), 300, "prefetch"),
        (asked(""), 300, "machine"),
        (asked("Mozilla/5.0 (compatible; Googlebot/2.1)"), 300, "machine"),
        (asked("python-requests/2.32"), 300, "machine"),
        (asked("Mozilla/5.0"), 300, "mail_proxy"),
        (asked(), 1, "too_soon"),
        (asked("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"), 300, None),
    ],
)
def test_what_a_machine_asks_for_is_marked(
    delivery: Delivery, request_: tracking.Asked, after: int, why: str | None
) -> None:
    tracking.follow(links.token(delivery.pk, numbers()[0]), request_, NOON + timedelta(seconds=after))
    assert [fact.get("automatic") for fact in told(LATER)] == [why]


def test_who_follows_all_links_at_once_is_a_machine(delivery: Delivery) -> None:
    for at, number in enumerate(numbers()):
        tracking.follow(links.token(delivery.pk, number), asked(), LATER + timedelta(milliseconds=200 * at))
    tracking.follow(links.token(delivery.pk, numbers()[0]), asked(), LATER + timedelta(seconds=9))
    assert [fact.get("automatic") for fact in told(LATER)] == ["burst", "burst", "burst", None]


def test_get_and_head_change_nothing_but_the_inbox_and_post_nothing_at_all(delivery: Delivery, client: Client) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(planned_at=datetime.now(NOON.tzinfo))
    token, before = links.token(delivery.pk, numbers()[0]), Delivery.objects.values().get()
    before = Delivery.objects.values().get()
    answer = client.get(f"/l/{token}", headers={"user-agent": PHONE})
    assert (answer.status_code, answer["Location"], answer["Referrer-Policy"]) == (
        302,
        "https://a.example/0",
        "no-referrer",
    )
    assert client.head(f"/l/{token}").status_code == 302
    assert client.post(f"/l/{token}").status_code == 405
    opened = client.get(f"/o/{links.token(delivery.pk, links.OPEN)}", headers={"user-agent": PHONE})
    assert (opened.status_code, opened["Content-Type"]) == (200, "image/gif")
    assert client.get("/o/nothing").content == opened.content
    assert Delivery.objects.values().get() == before
    assert sorted(Visit.objects.values_list("kind", "automatic")) == [
        ("clicked", ""),
        ("clicked", "head"),
        ("opened", ""),
    ]


def test_a_link_is_followed_in_one_statement(delivery: Delivery, django_assert_num_queries: Any) -> None:
    token = links.token(delivery.pk, numbers()[0])
    with django_assert_num_queries(1):
        assert tracking.follow(token, asked(), LATER) == "https://a.example/0"
    assert Visit.objects.count() == 1
