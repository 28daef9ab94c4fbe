"""A person's own page: GET shows, POST changes, each decision by itself, and what was shown is what is recorded."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import narwhals as nw
import polars as pl
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from crm import carrying_out, consent, people, preference_links
from crm.models import ConsentEvent, Identifier, LedgerNote, PrivacyRequest, Profile
from crm.preferences import shown
from mlengine.answers import write_members
from mlengine.models import Cluster, ClusterMember, PredictionRun
from tests import api, factories
from tests.crm.consents import notice, purpose, say

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _counted_alone(settings: Any) -> None:
    """Give every test a cache of its own: tests beside it would clear, or fill, the shared one."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(uuid4())}
    }


def someone(external_id: str = "u-1", **facts: Any) -> Profile:
    """Return an adult who can be reached by mail and SMS."""
    person = factories.profile(external_id, age_class="adult", **facts)
    for type_, value in (("email", f"{external_id}@qq.com"), ("phone", f"+86138{abs(hash(external_id)) % 10**8:08}")):
        Identifier.objects.create(type=type_, value=value, profile=person, created_at=factories.NOW)
    return person


def address(person: Profile, tail: str = "") -> str:
    return f"/p/{preference_links.mint(person.pk, timezone.now())}/{tail}"


class Page(HTMLParser):
    """What a browser makes of the page: its forms with their fields and buttons, and the texts of what is shown."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.states: dict[str, str] = {}
        self.pressed: list[str] = []
        self.inputs: list[dict[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._about: list[str] = []
        self._control = ""
        self._open: list[bool] = []
        self.html = answer.content.decode()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "article":
            self._about = []
        if tag == "form":
            self._control = told.get("data-control") or ""
            self.forms[self._control], self.states[self._control] = {}, told.get("data-state") or ""
            self.texts[self._control] = list(self._about)
        if tag in ("input", "select", "textarea"):
            self.inputs.append(told)
            if told.get("type") == "hidden":
                self.forms[self._control][str(told["name"])] = told.get("value") or ""
        if tag == "button" and told.get("aria-pressed") == "true":
            self.pressed.append(f"{self._control}={told.get('value')}")
        if "data-shown" in told:
            (self.texts[self._control] if self._control else self._about).append("")
            self._open.append(True)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._control = ""
        if self._open and tag in ("h3", "h4", "p", "strong", "button"):
            self._open.clear()

    def handle_data(self, data: str) -> None:
        if self._open:
            (self.texts[self._control] if self._control else self._about)[-1] += data


def press(client: Client, where: str, control: str, answer: str) -> Any:
    form = Page(client.get(where)).forms[control]
    return client.post(where, form | {"answer": answer})


def test_a_link_opens_a_page_on_which_a_press_gives_and_the_next_takes_back(client: Client) -> None:
    purpose()
    notice("offers", at=timezone.now() - timedelta(days=1))
    person = someone()
    where = address(person)
    page = Page(client.get(where))
    assert (page.states["offers-email"], page.states["offers-sms"]) == ("open", "open")
    answer = press(client, where, "offers-email", "yes")
    assert (answer.status_code, answer["Location"]) == (303, f"{where}?done=yes#said")
    assert consent.basis_for(person.pk, "offers", "email", timezone.now()).allowed
    assert not consent.basis_for(person.pk, "offers", "sms", timezone.now()).allowed
    press(client, where, "offers-email", "no")
    basis = consent.basis_for(person.pk, "offers", "email", timezone.now())
    assert (basis.allowed, basis.reason) == (False, consent.Reason.WITHDRAWN)
    assert Page(client.get(where)).states["offers-email"] == "no"


def test_what_was_really_on_the_screen_is_what_the_record_names(client: Client) -> None:
    purpose("offers", name={"en": "Offers & <news>", "zh-hans": "优惠"}, description={"en": "A line\r\nand  another "})
    purpose("abroad", kind="cross_border", separate=True, recipient="Cloud Ltd")
    body = {"title": " Privacy ", "body": "First.\r\n\r\nSecond <b>&amp;</b> e\u0301.", "withdraw": "Any time."}
    notice("offers", "abroad", at=timezone.now() - timedelta(days=1), texts={"en": body, "zh-hans": body})
    person = someone()
    for language in ("en", "zh-hans"):
        where = address(person) + f"?lang={language}"
        page = Page(client.get(where))
        for control in ("offers-email", "abroad-every"):
            assert shown.digest(page.texts[control]) == page.forms[control]["shown"], page.texts[control]
    press(client, where, "abroad-every", "yes")
    event = ConsentEvent.objects.get()
    assert event.rendered_digest == shown.digest(page.texts["abroad-every"])
    assert (event.consent_kind, event.notice_id, event.language) == ("separate", "privacy/1", "zh-hans")
    assert (event.method, event.form_version) == ("preference_centre", "preference-page/1")


def test_nothing_is_ticked_before_somebody_decides_and_there_is_no_button_that_allows_all(client: Client) -> None:
    for code, kind in (("offers", "marketing"), ("advice", "profiling"), ("abroad", "cross_border")):
        purpose(code, kind=kind, separate=kind == "cross_border")
    page = Page(client.get(address(someone())))
    assert page.pressed == ["=on"]  # personalisation, which the person switches off
    assert not [one for one in page.inputs if "checked" in one or "selected" in one]
    assert sorted(control for control in page.forms if control) == [
        *("abroad-every", "advice-every", "offers-email", "offers-phone", "offers-sms")
    ]


def test_a_notice_that_changes_while_somebody_reads_it_is_not_what_they_agreed_to(client: Client) -> None:
    purpose()
    notice("offers", at=timezone.now() - timedelta(days=1))
    person = someone()
    form = Page(client.get(where := address(person))).forms["offers-email"]
    texts = {"en": {"title": "Privacy", "body": "We do more now.", "withdraw": "Any time."}}
    notice("offers", at=timezone.now(), texts=texts)
    answer = client.post(where, form | {"answer": "yes"})
    assert answer.status_code == 409
    assert "Something has changed" in answer.content.decode()
    assert not ConsentEvent.objects.exists()


def test_a_form_that_is_sent_twice_says_it_once_and_an_old_one_revives_nothing(client: Client) -> None:
    purpose()
    person = someone()
    where = address(person)
    old = Page(client.get(where)).forms["offers-email"]
    for _time in range(2):
        assert client.post(where, old | {"answer": "yes"}).status_code == 303
    assert ConsentEvent.objects.count() == 1
    press(client, where, "offers-email", "no")
    assert client.post(where, old | {"answer": "yes"}).status_code == 409
    assert ConsentEvent.objects.count() == 2
    assert not consent.basis_for(person.pk, "offers", "email", timezone.now()).allowed
    press(client, where, "offers-email", "yes")  # the page as it is now does
    assert consent.basis_for(person.pk, "offers", "email", timezone.now()).allowed


@pytest.mark.parametrize(
    "told",
    [
        {"purpose": "nothing"},
        {"purpose": "orders", "channel": ""},
        {"purpose": "old", "channel": ""},
        {"channel": "wechat"},
        {"channel": "\x00"},
        {"answer": "maybe"},
        {"answer": ""},
        {"shown": "0" * 64},
        {"do": "everything"},
        {"do": ""},
        {"do": "switch"},
        {"do": "delete_tag", "tag": ""},
        {"do": "delete_tag", "tag": "trait:nothing"},
        {"do": "ask", "kind": "relatives"},
        {"do": "ask", "kind": "correction", "field": "phone", "text": "1"},
        {"do": "ask", "kind": "correction", "field": "birthday", "text": "yesterday"},
        {"do": "confirm", "request": "x"},
        {"do": "cancel", "request": "00000000-0000-0000-0000-000000000000"},
    ],
)
def test_a_press_that_is_on_nobodys_page_changes_nothing(client: Client, told: dict[str, str]) -> None:
    purpose()
    purpose("orders", kind="service", basis="contract")
    purpose("old", is_active=False)
    where = address(someone())
    form = Page(client.get(where)).forms["offers-email"] | {"answer": "yes"} | told
    answer = client.post(where, form)
    assert answer.status_code == 409, told
    assert not ConsentEvent.objects.exists()
    assert not PrivacyRequest.objects.exists()


def test_forms_that_are_too_large_no_forms_or_from_elsewhere_are_refused_unread(
    client: Client,
) -> None:
    purpose()
    where = address(someone())
    told = {"do": "withdraw_all"}
    assert client.post(where, told | {"text": "x" * 20_001}).status_code == 413
    assert client.post(where, "{}", content_type="application/json").status_code == 415
    assert client.generic("POST", where, b"", "application/x-www-form-urlencoded").status_code in (409, 411)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        assert client.post(where, told, headers=headers).status_code == 403, headers
    assert [client.generic(method, where).status_code for method in ("PUT", "DELETE", "PATCH", "OPTIONS")] == [405] * 4
    assert not ConsentEvent.objects.exists()
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "null"}, {"Origin": "http://testserver"}, {}):
        assert client.post(where, told, headers=headers).status_code == 303, headers


def everything() -> dict[str, Any]:
    """Return a hash of all rows of every table."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" AS t')
            found[table] = cursor.fetchone()
    return found


def test_no_look_changes_a_row_so_scanners_of_mail_can_open_every_link(client: Client) -> None:
    purpose()
    purpose("advice", kind="profiling")
    person = someone(attributes={"plan": "gold"})
    where = address(person)
    before = everything()
    for tail in (
        "",
        "one-click/",
        "?do=withdraw_all",
        "?done=yes",
        "?lang=zh-hans",
        "one-click/?on=email&List-Unsubscribe=One-Click",
    ):
        for method in ("GET", "HEAD"):
            answer = client.generic(method, where + tail)
            assert answer.status_code in (200, 302), tail
            assert not answer.cookies
    assert everything() == before
    assert before["crm_profile"][0] == 1


def test_the_button_of_a_mail_program_ends_the_channels_marketing_as_rfc_8058_says(
    client: Client, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://testserver"
    purpose()
    person = someone()
    for channel in ("email", "sms"):
        say(person, channel=channel, now=timezone.now() - timedelta(days=1))
    headers = preference_links.unsubscribe_headers(person.pk, "email", timezone.now())
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    where = headers["List-Unsubscribe"].strip("<>")
    assert client.post(where, {"List-Unsubscribe": "Perhaps"}).status_code == 409
    assert client.post(where, {}).status_code == 409
    for form in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        body = (
            b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
            if form[-1] == "x"
            else b"List-Unsubscribe=One-Click"
        )
        assert client.generic("POST", where, body, form, headers={"Origin": "https://mail.example"}).status_code == 200
    now = timezone.now()
    assert consent.basis_for(person.pk, "offers", "sms", now).allowed
    assert not consent.basis_for(person.pk, "offers", "email", now).allowed
    assert [one.method for one in ConsentEvent.objects.filter(state="withdrawn")] == ["one_click"]
    with pytest.raises(ValueError, match="no channel"):
        preference_links.unsubscribe_headers(person.pk, "pigeon", now)


def test_personalisation_off_deletes_what_models_said_refuses_profiling_and_stays_off(client: Client) -> None:
    purpose("advice", kind="profiling")
    person = someone()
    say(person, purpose="advice", now=timezone.now() - timedelta(days=1))
    where = address(person)
    for _time in range(2):
        client.post(where, {"do": "switch", "personalisation": "off"})
    person.refresh_from_db()
    assert not person.personalisation
    assert consent.basis_for(person.pk, "advice", "", timezone.now()).reason == consent.Reason.WITHDRAWN
    assert LedgerNote.objects.filter(reference="personalisation off").count() == 1
    client.post(where, {"do": "switch", "personalisation": "on"})
    person.refresh_from_db()
    assert person.personalisation
    assert not consent.basis_for(person.pk, "advice", "", timezone.now()).allowed  # the switch is no consent


def test_withdrawing_everything_ends_every_channel_and_what_a_contract_needs_goes_on(client: Client) -> None:
    purpose()
    purpose("advice", kind="profiling")
    purpose("orders", kind="service", basis="contract")
    person = someone()
    for code, channel in (("offers", "email"), ("advice", "")):
        say(person, purpose=code, channel=channel, now=timezone.now() - timedelta(days=1))
    for _time in range(2):
        client.post(address(person), {"do": "withdraw_all"})
    now = timezone.now()
    assert not any(consent.basis_for(person.pk, "offers", channel, now) for channel in ("email", "sms", "wechat"))
    assert not consent.basis_for(person.pk, "advice", "", now)
    assert consent.basis_for(person.pk, "orders", "", now)
    assert ConsentEvent.objects.filter(state="withdrawn").count() == 2


def test_a_tag_that_was_deleted_is_not_given_back_by_any_source(client: Client, send: Any) -> None:
    person = someone(attributes={"plan": "gold", "seats": 3}, traits={"note": "call 13800138000"})
    page = client.get(where := address(person)).content.decode()
    assert "138****8000" in page
    assert "13800138000" not in page
    client.post(where, {"do": "delete_tag", "tag": "trait:plan"})
    client.post(where, {"do": "delete_tag", "tag": "trait:note"})
    told = {"plan": "silver", "seats": 4, "note": "again"}
    people.update_many({person.pk: {"attributes": told, "traits": {"note": "again"}}}, now=timezone.now())
    person.refresh_from_db()
    assert person.told == {"seats": 4}
    other = factories.profile("u-2", attributes={"plan": "gold"})
    people.update_many({other.pk: {"attributes": told}}, now=timezone.now())
    other.refresh_from_db()
    assert other.attributes["plan"] == "silver"
    client.post(where, {"do": "delete_tag", "every": "yes"})
    person.refresh_from_db()
    assert person.told == {}


def test_a_deleted_segment_is_not_found_again_and_others_keep_theirs(client: Client) -> None:
    house = api.house()
    person = house.profile
    assert ClusterMember.objects.filter(profile=person).exists()
    spec = ClusterMember.objects.filter(profile=person).select_related("run")[0].run.spec
    where = address(person)
    assert f"segment:{spec}" in client.get(where).content.decode()
    client.post(where, {"do": "delete_tag", "tag": f"segment:{spec}"})
    assert not ClusterMember.objects.filter(profile=person, run__spec=spec).exists()
    run = PredictionRun.objects.filter(spec=spec).latest("pk")
    cluster = Cluster.objects.filter(spec=spec).latest("pk")
    stranger = factories.profile("stranger")
    answers = nw.from_native(pl.DataFrame({"user": [person.pk, stranger.pk], "cluster": [0, 0]}), eager_only=True)
    assert write_members(run, answers, {0: cluster.pk}) >= 1
    assert not ClusterMember.objects.filter(profile=person, run__spec=spec).exists()
    assert ClusterMember.objects.filter(profile=stranger, run=run).exists()


def test_requests_are_asked_once_confirmed_by_what_only_the_person_knows_and_taken_back(client: Client) -> None:
    person = someone()
    where = address(person)
    for _time in range(2):
        client.post(where, {"do": "ask", "kind": "erasure", "text": "please\x00"})
    request = PrivacyRequest.objects.get()
    assert (request.status, request.identity_points, request.details) == ("identity", 2, {"text": "please"})
    wrong = client.post(where, {"do": "confirm", "request": request.reference, "email": "li@qq.com"})
    assert (wrong.status_code, "not what we hold" in wrong.content.decode()) == (409, True)
    client.post(where, {"do": "confirm", "request": request.reference, "email": " U-1@QQ.com "})
    request.refresh_from_db()
    assert request.status == "verified"
    stranger = someone("u-2")
    assert client.post(address(stranger), {"do": "cancel", "request": request.reference}).status_code == 409
    assert "data-kind" not in client.get(address(stranger)).content.decode()
    client.post(where, {"do": "cancel", "request": request.reference})
    request.refresh_from_db()
    assert request.status == "withdrawn"


def test_five_wrong_names_end_the_guessing(client: Client) -> None:
    person = someone()
    where = address(person)
    client.post(where, {"do": "ask", "kind": "copy"})
    request = PrivacyRequest.objects.get()
    for _time in range(5):
        client.post(where, {"do": "confirm", "request": request.reference, "email": "li@qq.com"})
    right = client.post(where, {"do": "confirm", "request": request.reference, "email": "u-1@qq.com"})
    assert "Our staff will confirm" in right.content.decode()
    request.refresh_from_db()
    assert request.status == "identity"


def test_who_cancels_and_asks_again_cannot_guess_for_ever(client: Client) -> None:
    person = someone()
    where = address(person)
    for turn in range(2):
        client.post(where, {"do": "ask", "kind": ("copy", "portability")[turn]})
        request = PrivacyRequest.objects.latest("pk")
        for _time in range(3):
            client.post(where, {"do": "confirm", "request": request.reference, "email": "li@qq.com"})
        if not turn:
            client.post(where, {"do": "cancel", "request": request.reference})
    right = client.post(where, {"do": "confirm", "request": request.reference, "email": "u-1@qq.com"})
    assert "Our staff will confirm" in right.content.decode()
    request.refresh_from_db()
    assert (request.status, request.identity_failures) == ("identity", 2)


def test_an_objection_and_a_restriction_begin_at_once_and_portability_asks_who_it_is(client: Client) -> None:
    purpose()
    person = someone()
    say(person, channel="sms", now=timezone.now() - timedelta(days=1))
    where = address(person)
    for kind in ("objection", "restriction", "portability"):
        assert client.post(where, {"do": "ask", "kind": kind}).status_code == 303
    rows = {one.kind: one for one in PrivacyRequest.objects.all()}
    assert {kind: one.status for kind, one in rows.items()} == {
        "objection": "executing",
        "restriction": "executing",
        "portability": "identity",
    }
    assert carrying_out.run(rows["objection"].pk, timezone.now)
    person.refresh_from_db()
    assert not person.personalisation
    assert consent.basis_for(person.pk, "offers", "sms", timezone.now()).reason == consent.Reason.WITHDRAWN
    assert carrying_out.run(rows["restriction"].pk, timezone.now)
    html = client.get(where).content.decode()
    assert 'data-kind="objection" data-status="answered"' in html
    assert str(rows["objection"].reference)[:8] in html
    assert str(rows["objection"].reference) not in html  # the beginning is enough to read out


def test_minors_see_why_and_may_only_say_no(client: Client) -> None:
    purpose()
    person = factories.profile("u-9", age_class="minor")
    where = address(person)
    page = client.get(where).content.decode()
    assert "Not allowed under 18" in page
    form = Page(client.get(where)).forms["offers-every"]
    assert re.search('value="yes"[^>]* disabled', page)
    client.post(where, form | {"answer": "yes"})
    assert not consent.basis_for(person.pk, "offers", "", timezone.now()).allowed
    assert client.post(where, form | {"answer": "no"}).status_code == 303
    child = factories.profile("u-8", age_class="child")
    assert "a parent or guardian has to agree" in client.get(address(child)).content.decode()


def test_a_restricted_person_can_still_say_no_and_ask(client: Client) -> None:
    purpose()
    person = someone(restricted_at=timezone.now())
    where = address(person)
    assert "restricted" in client.get(where).content.decode()
    assert press(client, where, "offers-email", "no").status_code == 303
    assert client.post(where, {"do": "ask", "kind": "erasure"}).status_code == 303


def test_a_page_keeps_to_itself(client: Client) -> None:
    answer = client.get(address(someone()))
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store"
    assert "noindex" in answer["X-Robots-Tag"]
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    page = answer.content.decode()
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r'(href|src)="(https?:)?//', page)


@pytest.mark.parametrize(
    ("known", "accepts", "asked", "expected"),
    [
        ("", "zh-TW,zh;q=0.9", "", "zh-Hans"),
        ("zh_CN", "en", "", "zh-Hans"),
        ("en-GB", "zh-CN", "", "en"),
        ("", "fr", "", "en"),
        ("zh", "zh", "en", "en"),
        ("", "en", "xx", "en"),
    ],
)
def test_the_page_speaks_the_persons_language(
    client: Client, known: str, accepts: str, asked: str, expected: str
) -> None:
    where = address(someone(language=known)) + (f"?lang={asked}" if asked else "")
    assert f'<html lang="{expected}">' in client.get(where, headers={"Accept-Language": accepts}).content.decode()


def test_too_many_requests_wait_and_others_do_not(client: Client, settings: Any) -> None:
    settings.PREFERENCE_RATES = {"wrong": "3/day", "link": "2/day"}
    one, other = address(someone()), address(someone("u-2"))
    assert [client.get(one).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get(other).status_code == 200
    wrong = [client.get(f"/p/{'A' * 42}{n}/").status_code for n in range(5)]
    assert wrong == [404, 404, 404, 429, 429]
