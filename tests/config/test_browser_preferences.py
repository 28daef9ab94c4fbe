"""In a real browser, on a phone: open the link, withdraw, no more personalisation, erasure; no script runs."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from crm import consent, preference_links
from crm.consent import NewConsent
from crm.models import ConsentEvent, Identifier, Notice, PrivacyRequest, Profile, Purpose
from crm.notices import publish
from crm.person_tokens import PersonToken, mint
from crm.preferences.shown import shown
from tests import browser, factories
from tests.api import application
from tests.browser import SECONDS, kept
from tests.config.conftest import PHONE

pytestmark = browser.MARKS
TEXTS = {
    "en": {
        "title": "How we use your contact data",
        "body": "We use your e-mail address and phone number to tell you about offers.\nNobody else gets them.",
        "withdraw": "You can take this back on this page, or by answering TD to an SMS.",
    },
    "zh-hans": {
        "title": "我们如何使用您的联系方式",
        "body": "我们使用您的邮箱和手机号，向您介绍合适的优惠。\n不会提供给他人。",
        "withdraw": "您可以随时在本页撤回，或回复短信 TD。",
    },
}


@pytest.fixture
def person() -> Profile:
    """Return somebody who allowed offers by e-mail and profiling, and has two tags."""
    made = factories.profile(
        "u-1",
        name="张三",
        age_class="adult",
        attributes={"plan": "gold", "kids": 2},
        traits={"note": "call 13800138000"},
    )
    for type_, value in (("email", "zhang@qq.com"), ("phone", "+8613800138000")):
        Identifier.objects.create(type=type_, value=value, profile=made, created_at=factories.NOW)
    now = timezone.now()
    names = {
        "offers": ("marketing", "Offers and news", "优惠和新品", False),
        "advice": ("profiling", "Advice made for you", "为您推荐", False),
        "abroad": ("cross_border", "Transfer to Singapore", "传输至新加坡", True),
        "orders": ("service", "Messages about your orders", "订单通知", False),
    }
    for code, (kind, english, chinese, separate) in names.items():
        basis = "contract" if kind == "service" else "consent"
        Purpose.objects.create(
            code=code, kind=kind, name={"en": english, "zh-hans": chinese}, separate=separate, basis=basis
        )
    items = [
        {"purpose": code, "data_types": ["e-mail", "phone"], "recipients": [], "retention_days": 365} for code in names
    ]
    notice = Notice.objects.create(code="privacy", version=1, items=items, texts=TEXTS)
    publish(notice, now=now - timedelta(days=2))
    for code, channel in (("offers", "email"), ("advice", "")):
        told = NewConsent(purpose=code, channel=channel, notice="privacy/1", method="form")
        consent.record(made.pk, told, source=None, now=now - timedelta(days=1))
    return made


def test_a_person_withdraws_switches_personalisation_off_and_asks_for_erasure(phone: Any, person: Profile) -> None:
    phone.goto(f"/p/{preference_links.mint(person.pk, timezone.now())}/")
    assert phone.locator("[data-control=offers-email] button[value=yes]").get_attribute("aria-pressed") == "true"
    phone.click("[data-control=offers-email] button[value=no]")
    assert "not allowed any more" in phone.inner_text("#said")
    assert consent.basis_for(person.pk, "offers", "email", timezone.now()).reason == consent.Reason.WITHDRAWN

    phone.click("#personalisation button[value=off]")
    person.refresh_from_db()
    assert not person.personalisation
    assert consent.basis_for(person.pk, "advice", "", timezone.now()).reason == consent.Reason.WITHDRAWN

    phone.click("details.ask:has-text('Erasure') summary")
    phone.click("details.ask:has-text('Erasure') button")
    request = PrivacyRequest.objects.get()
    assert (request.kind, request.status, request.identity_points) == ("erasure", "identity", 2)
    phone.fill(".request input[name=phone]", "138 0013 8000")
    phone.click("text=That is me")
    request.refresh_from_db()
    assert request.status == "verified"
    assert phone.locator(".request").get_attribute("data-status") == "verified"


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh-hans", "light"), ("en", "dark")])
def test_the_page_fits_a_phone_in_both_languages(phone: Any, person: Profile, language: str, scheme: str) -> None:
    phone.emulate_media(color_scheme=scheme)
    phone.goto(f"/p/{preference_links.mint(person.pk, timezone.now())}/?lang={language}")
    width = phone.locator(".sheet").bounding_box()["width"]
    assert width <= PHONE["width"]
    for card in phone.locator("button:visible, .card").all():
        box = card.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"], card.inner_text()
    for button in phone.locator("button:visible").all():
        assert button.bounding_box()["height"] >= 36, button.inner_text()
    assert TEXTS[language]["title"] in phone.inner_text("#purpose-" + str(Purpose.objects.get(code="offers").pk))


def test_a_link_that_opens_nothing_says_so_in_the_browsers_language(phone: Any) -> None:
    phone.goto("/p/" + "A" * 43 + "/")
    assert phone.inner_text("h1") == "This link does not open a page"


def test_an_officer_looks_after_purposes_notices_and_the_log(desk: Any, person: Profile) -> None:
    offers = Purpose.objects.get(code="offers")
    desk.goto("/admin/crm/purpose/")
    kept(desk, "purposes")
    desk.goto(f"/admin/crm/purpose/{offers.pk}/change/")
    kept(desk, "purpose")
    desk.goto("/admin/crm/notice/add/?code=privacy")
    desk.click("text=Begin a draft")
    desk.fill("[name='body.en']", "We use your e-mail address to tell you about offers.\nNobody else gets it.")
    desk.click("text=Keep the draft")
    assert desk.locator("#changes ins").count() >= 1
    kept(desk, "notice-draft")
    desk.click("text=Publish for good")
    assert Notice.objects.get(version=2).published_at is not None
    kept(desk, "notice-published")
    desk.goto("/admin/crm/consentevent/")
    kept(desk, "consent-log")
    desk.click("#result_list tbody a >> nth=0")
    kept(desk, "consent-event")
    desk.goto(f"/admin/crm/profile/{person.pk}/change/")
    desk.click("#consents >> text=Enter what the person said")
    kept(desk, "person")
    desk.click("text=Link to the preference page")
    assert "/p/" in desk.inner_text("#preference-link")
    kept(desk, "person-link")
    desk.goto("/admin/crm/purpose/embed/?purpose=offers&purpose=abroad")
    kept(desk, "embed")


def open_form(desk: Any, person: Profile, origin: str, language: str = "zh-hans") -> None:
    """Open a shop's page that asks for two consents, logged in as the person there."""
    token = PersonToken(
        client_id=application("person-tokens:create").pk,
        profile_id=person.pk,
        purpose="consents",
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    page = f"""<!doctype html><form onsubmit="return false"><div data-zhiyin-consent data-api="{origin}"
      data-purposes="offers,abroad" data-language="{language}" data-token="{mint(token, timezone.now())}"></div>
      <button>Send</button></form><script src="/static/zhiyin/embed.js"></script>"""
    desk.route("**/form-of-a-shop", lambda route: route.fulfill(body=page, content_type="text/html"))
    desk.goto("/form-of-a-shop")


def test_the_form_of_another_page_records_what_its_screen_showed(desk: Any, person: Profile, live_server: Any) -> None:
    open_form(desk, person, live_server.url)
    desk.wait_for_selector("fieldset >> nth=1")
    assert desk.locator("input:checked, input[required]").count() == 0
    desk.check("fieldset:nth-of-type(2) input[value=given]")
    with desk.expect_response("**/api/v1/consents/") as answer:
        desk.click("button")
    assert answer.value.status == 201
    event = ConsentEvent.objects.latest("received_at")
    assert (event.purpose_id, event.consent_kind, event.method) == ("abroad", "separate", "form")
    assert event.rendered_digest == shown(Purpose.objects.get(code="abroad"), event.notice, "", "zh-hans").digest
    assert not ConsentEvent.objects.filter(purpose__code="offers", channel="").exists()  # nothing was said of it

    source = render_to_string("zhiyin/consent/mini_program/sha256.js")
    for text in ("", "abc", "知音\n" * 100):
        found = desk.evaluate(f"text => {{ const module = {{}}; {source}; return module.exports(text); }}", text)
        assert found == sha256(text.encode()).hexdigest()


RECORDED = """() => { window.heard = new Promise((done) =>
  addEventListener("zhiyin:recorded", (event) => done(event.detail.done.length), { once: true })); }"""


def test_an_answer_that_is_lost_on_its_way_and_a_double_click_make_one_consent(
    desk: Any, person: Profile, live_server: Any
) -> None:
    keys: list[str] = []

    def lose_the_first_answers(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 2:
            route.continue_()
            return
        if len(keys) == 1:
            assert route.fetch().status == 201  # it is done, and the browser never hears of it
        route.abort("connectionreset")

    desk.route("**/api/v1/consents/", lose_the_first_answers)
    open_form(desk, person, live_server.url)
    said = ConsentEvent.objects.filter(purpose__code="abroad")
    desk.check("fieldset:nth-of-type(2) input[value=given]")
    desk.evaluate(RECORDED)
    desk.dblclick("button")
    assert desk.evaluate("() => window.heard") == 2
    assert (len(keys), len(set(keys)), said.count()) == (3, 1, 1)
    desk.click("button")  # pressed again later: said already
    desk.check("fieldset:nth-of-type(2) input[value=refused]")
    for answer, count in (("refused", 2), ("given", 3)):  # a mind that changes, and changes back, is another decision
        desk.check(f"fieldset:nth-of-type(2) input[value={answer}]")
        with desk.expect_response("**/api/v1/consents/") as response:
            desk.click("button")
        assert (response.value.status, said.count()) == (201, count)
    assert said.latest("received_at").state == "given"
    assert len(set(keys)) == 3


MINI_PROGRAM = """([source, sha256, form]) => {
  const calls = [], lost = [1, 1];
  window.calls = calls;
  const wx = { request: (asked) => {
    if (asked.method === "GET") return asked.success({ statusCode: 200, data: form });
    calls.push(asked);
    const fails = lost.pop(), answer = { statusCode: 201, data: {} };
    setTimeout(() => (fails ? asked.fail({ errMsg: "request:fail timeout" }) : asked.success(answer)));
  } };
  const hash = { exports: {} };
  new Function("module", sha256)(hash);
  let made;
  const module = { exports: {} };
  new Function("Component", "wx", "require", "module", source)((one) => (made = one), wx, () => hash.exports, module);
  const setData = (facts) => Object.assign(one.data, facts);
  const one = { ...made.methods, data: {}, properties: { token: async () => "t" }, setData };
  made.lifetimes.attached.call(one);
  window.one = one;
}"""


def test_a_mini_program_repeats_a_lost_request_under_its_key_and_a_new_decision_under_another(desk: Any) -> None:
    desk.clock.install()
    about = {"about": ["Offers"], "where": "", "allow": "Allow", "refuse": "Do not allow", "purpose": "offers"}
    facts = {"here": "https://crm.example.com", "language": "en", "purposes": "offers", "channel": ""}
    source, sha = (render_to_string(f"zhiyin/consent/mini_program/{name}.js", facts) for name in ("consent", "sha256"))
    desk.goto("about:blank")
    desk.evaluate(MINI_PROGRAM, [source, sha, {"purposes": [about]}])
    for answer in ("given", "given", "refused", "given"):
        chosen = {"currentTarget": {"dataset": {"purpose": "offers"}}, "detail": {"value": answer}}
        desk.evaluate(
            "(chosen) => { one.choose(chosen); window.done = Promise.all([one.record(), one.record()]); }", chosen
        )
        for _ in range(8):
            desk.clock.run_for(3 * SECONDS)
        desk.evaluate("() => window.done")
    said = desk.evaluate("() => calls.map((one) => [one.header['Idempotency-Key'].split('-').pop(), one.data.state])")
    assert said == [["1", "given"], ["1", "given"], ["1", "given"], ["2", "refused"], ["3", "given"]]
    digest = desk.evaluate("() => calls[0].data.rendered_digest")
    assert digest == sha256(b"Offers\nAllow\nDo not allow").hexdigest()
