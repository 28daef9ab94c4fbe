"""A child's guardian is named, asked by mail, and heard: to the day, with proof, and by nobody else."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from crm import consent, guardians, merged, preference_links
from crm.consent import NewConsent, Reason
from crm.models import ConsentEvent, ConsentEventPerson, GuardianLink, Identifier, Profile
from crm.preferences import choices, shown
from tests import factories
from tests.crm.consents import notice, purpose
from tests.crm.mailboxes import Mailbox, receiving
from tests.crm.requests import carried_out
from tests.crm.test_preference_page import Page

pytestmark = pytest.mark.django_db
SHANGHAI = ZoneInfo("Asia/Shanghai")
PARENT = {"do": "guardian", "relation": "mother", "contact": "Li.Parent@Example.com"}


@pytest.fixture(autouse=True)
def _reachable(settings: Any) -> None:
    settings.PUBLIC_URL = "https://crm.example.com"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(uuid4())}
    }


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    with receiving(settings) as box:
        yield box


@pytest.fixture
def asked_for() -> None:
    """Have the purposes of a club: two a guardian decides on, one of them separately, and two that minors never get."""
    purposes: dict[str, dict[str, Any]] = {
        "club": {"kind": "service"},
        "photos": {"kind": "sensitive", "separate": True},
        "offers": {},
        "advice": {"kind": "profiling"},
    }
    for code, facts in purposes.items():
        purpose(code, **facts)
    notice("club", "photos", "offers", "advice", at=datetime(2025, 1, 1, tzinfo=SHANGHAI))


def child(external_id: str = "kid", **facts: Any) -> Profile:
    today = timezone.localdate()
    return factories.profile(external_id, **{"birth_date": date(today.year - 10, 1, 1), "age_class": "child"} | facts)


def own_page(person: Profile) -> str:
    return f"/p/{preference_links.mint(person.pk, timezone.now())}/"


def links_in(mailbox: Mailbox) -> list[str]:
    """Mail what waits, and return the addresses that the mails name, as paths."""
    guardians.write_all(timezone.now())
    return re.findall(r"https://crm\.example\.com(/g/[\w-]{43}/)\?lang=en", "".join(mailbox.texts()))


@pytest.mark.usefixtures("asked_for")
def test_a_guardian_reads_the_same_decides_by_herself_and_the_event_proves_it(client: Client, mailbox: Mailbox) -> None:
    kid = child()
    where = own_page(kid)
    before = Page(client.get(where))
    for control in ("club-every", "photos-every", "offers-every", "advice-every"):
        form = before.forms[control] | {"answer": "yes"}
        assert client.post(where, form).status_code == 409, control
    assert not ConsentEvent.objects.exists()
    assert client.post(where, PARENT).status_code == 303
    assert client.post(where, PARENT).status_code == 303  # a double press: the mail is on its way
    (link,) = links_in(mailbox)
    assert links_in(mailbox) == [link]  # mailed once
    page = Page(client.get(link))
    assert sorted(page.forms) == ["club-every", "photos-every"]
    assert (page.pressed, [one for one in page.inputs if one.get("type") != "hidden"]) == ([], [])
    assert client.post(link, page.forms["photos-every"] | {"answer": "yes"}).status_code == 303
    event = ConsentEvent.objects.get()
    assert (event.purpose_id, event.consent_kind, event.state) == ("photos", "guardian", "given")
    assert (event.method, event.form_version) == ("preference_centre", "guardian-page/1")
    assert event.rendered_digest == shown.digest(page.texts["photos-every"])
    assert "parent or guardian" in " ".join(page.texts["photos-every"])
    part = ConsentEventPerson.objects.get(event=event)
    told = part.details["guardian"]
    assert {key: told[key] for key in ("relation", "contact", "evidence")} == {
        "relation": "mother",
        "contact": "li.parent@example.com",
        "evidence": guardians.EVIDENCE,
    }
    assert part.profile_id == kid.pk
    now = timezone.now()
    assert consent.basis_for(kid.pk, "photos", "", now).event_id == event.pk
    assert consent.basis_for(kid.pk, "club", "", now).reason == Reason.NO_CONSENT
    # The child may still say no, and cannot turn that round; the guardian can take it back as easily as it was given.
    form = Page(client.get(where)).forms["photos-every"]
    assert client.post(where, form | {"answer": "no"}).status_code == 303
    assert consent.basis_for(kid.pk, "photos", "", timezone.now()).reason == Reason.WITHDRAWN
    form = Page(client.get(where)).forms["photos-every"]
    assert client.post(where, form | {"answer": "yes"}).status_code == 409
    row = GuardianLink.objects.get()
    assert row.expires_at > now + timedelta(days=300)
    assert client.get(link).status_code == 200


@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize(
    ("born", "today", "needed"),
    [
        (date(2012, 11, 23), datetime(2026, 11, 22, 23, 59, tzinfo=SHANGHAI), True),
        (date(2012, 11, 23), datetime(2026, 11, 23, 0, 0, tzinfo=SHANGHAI), False),
        (date(2012, 2, 29), datetime(2026, 2, 28, 23, 59, tzinfo=SHANGHAI), True),
        (date(2012, 2, 29), datetime(2026, 3, 1, 0, 0, tzinfo=SHANGHAI), False),
        (date(2012, 1, 1), datetime(2025, 12, 31, 15, 59, tzinfo=ZoneInfo("UTC")), True),
        (date(2012, 1, 1), datetime(2025, 12, 31, 16, 0, tzinfo=ZoneInfo("UTC")), False),
    ],
)
def test_the_fourteenth_birthday_begins_at_midnight_in_shanghai(born: date, today: datetime, *, needed: bool) -> None:
    kid = child(birth_date=born)  # whatever class the row was last given
    person = merged.person(kid.pk)
    assert person is not None
    assert guardians.needs_guardian(person, today) == needed
    own = {one.purpose.code: one.controls[0].may_allow for one in choices.choices(person, "en", today)}
    assert own == {"club": not needed, "photos": not needed, "offers": False, "advice": False}
    theirs = choices.choices(person, "en", today, guardian=True)
    assert {one.purpose.code: one.controls[0].may_allow for one in theirs} == {"club": needed, "photos": needed}
    given = NewConsent(purpose="club", notice="privacy/1")
    consent.record(kid.pk, given, source=None, now=today)
    assert consent.basis_for(kid.pk, "club", "", today).reason == (Reason.GUARDIAN_NEEDED if needed else None)


@pytest.mark.usefixtures("asked_for")
@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"contact": "no address"}, "no e-mail address"),
        ({"contact": ""}, "no e-mail address"),
        ({"contact": "a@example.com\r\nBcc: b@example.com"}, "no e-mail address"),
        ({"contact": "a@example.com, b@example.com"}, "no e-mail address"),
        ({"contact": "x" * 250 + "@example.com"}, "no e-mail address"),
        ({"contact": "ＫＩＤ@qq.com"}, "your own address"),
        ({"relation": "brother"}, "not one of your choices"),
    ],
)
def test_whoever_cannot_be_asked_is_not_and_the_child_is_told_why(
    client: Client, told: dict[str, str], words: str
) -> None:
    kid = child()
    Identifier.objects.create(type="email", value="kid@qq.com", profile=kid, created_at=factories.NOW)
    answer = client.post(own_page(kid), PARENT | told)
    assert (answer.status_code, words in answer.content.decode()) == (409, True)
    assert not GuardianLink.objects.exists()


def test_nobody_is_made_to_send_mails_to_strangers(client: Client) -> None:
    kid, adult = child(), factories.profile("u-2", age_class="adult")
    assert client.post(own_page(adult), PARENT).status_code == 409
    for number in range(3):
        assert client.post(own_page(kid), PARENT | {"contact": f"p{number}@example.com"}).status_code == 303
    assert "written there already" in client.post(own_page(kid), PARENT).content.decode()
    for number in range(3):  # other children name the same address: it gets so many mails in a day
        assert client.post(own_page(child(f"kid-{number}")), PARENT).status_code == 303
    assert client.post(own_page(child("kid-9")), PARENT).status_code == 409
    assert GuardianLink.objects.count() == 6


def test_without_an_address_of_ours_no_guardian_is_asked(client: Client, settings: Any) -> None:
    settings.PUBLIC_URL = ""
    assert client.post(own_page(child()), PARENT).status_code == 409
    assert not GuardianLink.objects.exists()


@pytest.mark.usefixtures("asked_for")
def test_a_guardians_link_shows_nothing_else_of_the_child_and_does_nothing_else(
    client: Client, mailbox: Mailbox
) -> None:
    kid = child(name="张小明", attributes={"school": "No. 5"})
    client.post(own_page(kid), PARENT)
    (link,) = links_in(mailbox)
    html = client.get(link).content.decode()
    told = html + "".join(mailbox.texts()) + "".join(map(str, mailbox.messages))
    for personal in ("张", "小明", "No. 5", "school"):
        assert personal not in told, personal
    assert "li.parent" not in html
    for do in ("withdraw_all", "switch", "ask", "guardian", "delete_tag"):
        form = {**PARENT, "do": do, "kind": "erasure", "personalisation": "off", "every": "yes"}
        assert client.post(link, form).status_code == 409, do
    for code in ("offers", "advice"):
        assert client.post(link, {"do": "decide", "purpose": code, "answer": "yes", "channel": ""}).status_code == 409
    assert client.get(f"/p/{link[3:]}").status_code == 404  # no link of one kind opens the other's page
    assert client.get(f"/g/{own_page(kid)[3:]}").status_code == 404


@pytest.mark.parametrize(
    "end", ["time", "revoked", pytest.param("erased", marks=pytest.mark.django_db(transaction=True))]
)
def test_a_guardians_link_ends_with_its_time_a_revocation_and_the_child(
    client: Client, mailbox: Mailbox, end: str
) -> None:
    kid = child()
    client.post(own_page(kid), PARENT)
    (link,) = links_in(mailbox)
    assert client.get(link).status_code == 200
    if end == "time":
        GuardianLink.objects.update(expires_at=timezone.now())
    elif end == "revoked":
        preference_links.revoke(kid.pk)
    else:
        carried_out("erasure", kid)
    gone, unknown = client.get(link), client.get("/g/" + "A" * 43 + "/")
    assert (gone.status_code, gone.content) == (404, unknown.content)
    assert GuardianLink.objects.count() == (1 if end == "time" else 0)


def test_links_are_forgotten_a_month_after_their_end(client: Client) -> None:
    client.post(own_page(child()), PARENT)
    ends = GuardianLink.objects.get().expires_at
    assert [guardians.forget(ends + timedelta(days=days)) for days in (0, 29, 31)] == [0, 0, 1]


def test_a_server_that_takes_no_mail_is_tried_again(client: Client, mailbox: Mailbox) -> None:
    client.post(own_page(child()), PARENT)
    mailbox.refusing = "451 Later"
    assert guardians.write_all(timezone.now()) == 0
    mailbox.refusing = ""
    assert [guardians.write_all(timezone.now()) for _ in range(2)] == [1, 0]
