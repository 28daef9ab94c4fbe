"""Mini programs over the API: login, phone number, subscriptions; links, codes and the privacy guide."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount, Credit, Follower, MiniLink, PhoneCode
from campaigns.wechat import followers, mini_links, phone_numbers, privacy_guides
from crm.models import ConsentEvent, Event, Identifier
from tests import api, factories
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    MINI,
    platform,  # noqa: F401
)
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
LOGIN, PHONE, SUBSCRIBED = (f"/api/v1/mini-program/{what}/" for what in ("login", "phone", "subscriptions"))


@pytest.fixture
def account(platform: Stub) -> ChannelAccount:  # noqa: F811
    return corporation.mini_program(platform)


def code(platform: Stub, person: str, kind: str = "login", **facts: Any) -> str:  # noqa: F811
    return str(platform.post("codes", appid=MINI, person=person, kind=kind, **facts)["code"])


def post(client: Any, address: str, **body: Any) -> Any:
    return client.post(address, {"appid": MINI, **body}, content_type="application/json")


def logged_in(platform: Stub, person: str = "li") -> Any:  # noqa: F811
    """Return the person's own device, and her profile."""
    answer = post(api.caller("mini-program:login"), LOGIN, code=code(platform, person))
    assert answer.status_code == 200, answer.content
    return api.bearer(answer.json()["token"]), answer.json()["profile_id"]


def agreement(**facts: Any) -> dict[str, Any]:
    consents.purpose()
    return {"agreed": True, "purpose": "offers"} | facts


def paid(platform: Stub) -> int:  # noqa: F811
    return int(platform.get("meter", appid=MINI)["phones"])


def test_who_took_her_authorisation_back_and_logs_in_again_is_there_again(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    _device, profile = logged_in(platform)
    left = Follower.objects.get()
    followers.leave(left, timezone.now())
    assert logged_in(platform)[1] == profile
    left.refresh_from_db()
    assert (left.following, left.unfollowed_at) == (True, None)


def test_a_login_code_becomes_a_person_once_and_tells_neither_key_nor_openid(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    server = api.caller("mini-program:login")
    used = code(platform, "li")
    answer = post(server, LOGIN, code=used)
    told = answer.json()
    assert set(told) == {"token", "profile_id", "purpose", "expires_at", "is_new"}
    assert told["is_new"]
    openid = Identifier.objects.get(type="openid")
    assert openid.profile_id == told["profile_id"]
    assert openid.value not in answer.content.decode()
    assert Identifier.objects.get(type="unionid").profile_id == told["profile_id"]
    assert api.error(post(server, LOGIN, code=used)) == (400, "invalid", "code")
    again = post(server, LOGIN, code=code(platform, "li")).json()
    assert (again["profile_id"], again["is_new"]) == (told["profile_id"], False)
    assert Follower.objects.count() == 1
    for row in Event.objects.all():
        assert "session_key" not in str(row.told)


def test_a_login_counts_for_the_code_that_led_there(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    link = mini_links.order(account, {"name": "table", "kind": "code"}, None, timezone.now())
    mini_links.make(link, timezone.now())
    assert bytes(link.image or b"")
    server = api.caller("mini-program:login")
    for person in ("li", "li", "wang"):
        assert post(server, LOGIN, code=code(platform, person), scene=link.scene).status_code == 200
    link.refresh_from_db()
    assert link.opened == 3
    assert Follower.objects.filter(entry=link.scene).count() == 2
    events = Event.objects.filter(name="Mini Program Opened")
    assert {row.properties["link"] for row in events} == {link.pk}


def test_links_and_schemes_carry_their_scene_and_end_after_thirty_days(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    now = timezone.now()
    for kind, begin in (("link", "https://wxaurl.cn/"), ("scheme", "weixin://dl/business/")):
        facts = {"name": kind, "kind": kind, "page": "pages/offer/index"}
        made = mini_links.make(mini_links.order(account, facts, None, now), now)
        assert made.url.startswith(begin)
        assert made.expires_at is not None
        assert (made.expires_at - now).days == 30
        mini_links.make(made, now)
    calls = platform.get("log", path="/wxa/generate_urllink")["calls"]
    assert len(calls) == 1
    assert len({row.scene for row in MiniLink.objects.all()}) == 2


def test_a_plain_scheme_asks_nobody_and_never_ends(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    now = timezone.now()
    told = {"name": "poster", "kind": "plain", "page": "pages/offer/index", "campaign": None}
    link = mini_links.make(mini_links.order(account, told, None, now), now)
    asked = f"appid={MINI}&path=pages%2Foffer%2Findex&query=scene%3D{link.scene}"
    assert (link.url, link.expires_at) == (f"weixin://dl/business/?{asked}", None)
    assert not any(one["path"].startswith("/wxa/") for one in platform.get("log")["calls"])


def test_a_phone_number_is_kept_after_the_consent_and_paid_for_once(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    device, profile = logged_in(platform)
    asked = agreement(code=code(platform, "li", "phone", phone="13912345678"))
    answer = post(device, PHONE, **asked)
    assert answer.json() == {"stored": True, "charged": True}, answer.content
    phone = Identifier.objects.get(type="phone")
    assert (phone.profile_id, phone.value, phone.verified) == (profile, "+8613912345678", True)
    event = ConsentEvent.objects.get()
    row = PhoneCode.objects.get()
    assert (row.status, row.cost, row.currency, row.consent) == ("charged", Decimal("0.03000"), "CNY", event.pk)
    assert event.recorded_at <= row.asked_at
    assert "13912345678" not in answer.content.decode()
    assert post(device, PHONE, **asked).json() == {"stored": True, "charged": False}
    assert paid(platform) == 1
    (line,) = PhoneCode.objects.meter(row.asked_at)
    assert (line["asked"], line["charged"], line["total"]) == (1, 1, Decimal("0.03000"))


def test_a_refusal_is_recorded_and_costs_nothing(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    device, _profile = logged_in(platform)
    asked = agreement(agreed=False, code=code(platform, "li", "phone"))
    assert post(device, PHONE, **asked).json() == {"stored": False, "charged": False}
    assert ConsentEvent.objects.get().state == "refused"
    assert not PhoneCode.objects.exists()
    assert paid(platform) == 0


def test_without_a_lawful_consent_nothing_is_asked_and_the_code_stays_good(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    device, _profile = logged_in(platform)
    good = code(platform, "li", "phone")
    assert api.error(post(device, PHONE, agreed=True, purpose="nothing", code=good)) == (400, "invalid", "purpose")
    assert paid(platform) == 0
    assert post(device, PHONE, **agreement(code=good)).json()["charged"]


def test_the_number_of_somebody_known_joins_the_two_and_another_systems_person_stays_apart(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    known = factories.profile("c-1")
    facts = {"verified": True, "created_at": timezone.now()}
    Identifier.objects.create(type="phone", value="13911112222", profile=known, **facts)
    device, profile = logged_in(platform)
    asked = agreement(code=code(platform, "li", "phone", phone="13911112222"))
    assert post(device, PHONE, **asked).json()["stored"]
    from crm.merging import canonical_ids

    assert canonical_ids([profile])[profile] == known.pk


@pytest.mark.parametrize("what", ["timeout_after_commit", "error"])
def test_a_question_without_an_answer_is_shown_and_not_asked_again(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    what: str,
) -> None:
    device, _profile = logged_in(platform)
    asked = agreement(code=code(platform, "li", "phone"))
    path = "/wxa/business/getuserphonenumber"
    platform.post("chaos", what=what, path=path, times=1, seconds=0.1, **({"code": 48001} if what == "error" else {}))
    assert api.error(post(device, PHONE, **asked))[0] == 503
    row = PhoneCode.objects.get()
    assert row.status == ("failed" if what == "error" else "unknown")
    assert api.error(post(device, PHONE, **asked))[0] == 409
    assert not Identifier.objects.filter(type="phone").exists()


def test_a_question_whose_process_was_killed_is_unknown_after_a_while(account: ChannelAccount) -> None:
    now = timezone.now()
    row = PhoneCode.objects.create(account=account, digest="d" * 64, day=now.date(), asked_at=now)
    assert phone_numbers.give_up(now + timedelta(minutes=4)) == 0
    assert phone_numbers.give_up(now + timedelta(minutes=6)) == 1
    row.refresh_from_db()
    assert (row.status, row.reason) == ("unknown", "no_answer")


def test_what_a_phone_reports_is_pending_and_told_twice_counts_once(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    device, _profile = logged_in(platform)
    told = {"key": "k" * 12, "answers": {"T1": "accept", "T2": "reject", "T3": "ban"}}
    assert post(device, SUBSCRIBED, **told).json() == {"pending": 1}
    assert post(device, SUBSCRIBED, **told).json() == {"pending": 0}
    credit = Credit.objects.get()
    assert (credit.template_id, credit.source, credit.delta) == ("T1", "report", 0)
    answers = Event.objects.filter(name="Subscription Answered")
    assert {row.properties["template"]: row.properties["answer"] for row in answers} == told["answers"]


def test_a_device_speaks_for_its_own_person_only(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    device, _own = logged_in(platform)
    _other, stranger = logged_in(platform, "wang")
    told = {"key": "k" * 12, "answers": {"T1": "accept"}}
    for profile in (stranger, 999_999):
        answer = post(device, SUBSCRIBED, profile_id=profile, **told)
        assert api.error(answer) == (400, "invalid", "profile_id")
    server = api.caller("mini-program:write")
    assert post(server, SUBSCRIBED, profile_id=stranger, **told).json() == {"pending": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"key": "k" * 12, "answers": {}}, "answers"),
        ({"key": "k" * 12, "answers": {f"T{n}": "accept" for n in range(4)}}, "answers"),
        ({"key": "k" * 12, "answers": {"T1": "yes"}}, "answers.T1"),
        ({"key": "k" * 12, "answers": {"T\x00": "accept"}}, "answers"),
        ({"key": "short", "answers": {"T1": "accept"}}, "key"),
    ],
)
def test_nonsense_is_refused(platform: Stub, account: ChannelAccount, body: Any, field: str) -> None:  # noqa: F811
    device, _profile = logged_in(platform)
    answer = post(device, SUBSCRIBED, **body)
    assert api.error(answer)[::2] == (400, field), answer.content
    assert not Credit.objects.exists()


def test_the_privacy_guide_is_held_against_what_is_held(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    device, _profile = logged_in(platform)
    post(device, PHONE, **agreement(code=code(platform, "li", "phone")))
    said = {"UserInfo": "头像", "Email": "发票"}
    drafted = {**said, "PhoneNumber": "下单"}  # nobody sees that yet
    platform.post("privacy", appid=MINI, used=["UserInfo", "Clipboard"], declared=said, drafted=drafted)
    guide = privacy_guides.check(account, timezone.now())
    found = {line.key: line.state for line in privacy_guides.lines(account, guide)}
    assert found == {
        "UserInfo": "good", "PhoneNumber": "missing", "Email": "spare", "EXUserOpLog": "missing",
        "Clipboard": "missing",
    }  # fmt: skip
    assert (guide.exists, guide.contact, guide.problem) == (True, True, "")
