"""Messages as people get them: forms, languages, fallbacks, objects, links."""

import gc
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import forms
from campaigns.forms import FormError
from campaigns.models import Link, TemplateVersion
from campaigns.templating import rendering, sandbox
from campaigns.templating.rendering import Renderer
from campaigns.templating.sandbox import TemplateFailed
from crm.models import Profile
from tests.campaigns import factories

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def someone(number: int, **facts: Any) -> Profile:
    return factories.person(number, consent=False, **facts)


def version(fallbacks: dict[str, Any] | None = None, **told: Any) -> TemplateVersion:
    made = factories.template(f"t{uuid4().hex[:6]}", **told)
    made.fallbacks = fallbacks or {}
    made.save()
    return made


def email(html: str, **more: str) -> dict[str, Any]:
    return {"en": {"subject": "Hi", "html": html} | more}


def parts(made: TemplateVersion, profile: Any, channel: str = "email") -> dict[str, Any]:
    return dict(rendering.render(made, channel, profile.pk, now=NOON).parts)


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({}, ""),
        ({"pigeon": {}}, "pigeon"),
        ({"email": {"en": []}}, "email.en"),
        ({"email": {"EN!": {}}}, "email.EN!"),
        ({"email": {"en": {"subject": "x"}}}, "email.en.html"),
        ({"email": {"en": {"subject": 7, "html": "x"}}}, "email.en.subject"),
        ({"email": {"en": {"subject": "x", "html": "x", "bcc": "y"}}}, "email.en.bcc"),
        ({"email": {"en": {"subject": "x", "html": "x", "mjml": "y"}}}, "email.en.mjml"),
        ({"sms": {"zh-hans": {"text": "x", "signature": "【知音】"}}}, "sms.zh-hans.signature"),
        ({"wechat": {"zh-hans": {"template_id": "a", "data": {"first": "x"}}}}, "wechat.zh-hans.data.first"),
        ({"wechat": {"zh-hans": {"template_id": "a", "data": {"thing1": 7}}}}, "wechat.zh-hans.data"),
        ({"webhook": {"en": {"body": []}}}, "webhook.en.body"),
    ],
)
def test_a_form_that_cannot_be_read_is_refused_by_its_place(told: Any, path: str) -> None:
    with pytest.raises(FormError) as error:
        forms.parse(told)
    assert error.value.path == path


@pytest.mark.django_db
def test_a_value_in_html_is_text_and_in_json_breaks_nothing() -> None:
    person = someone(1, name='Ann "<script>" Lee')
    made = version(
        email=email("<p>{{ profile.name }}</p>"),
        webhook={"en": {"body": {"who": "{{ profile.name }}", "n": [1, "{{ profile.first_name }}"]}}},
    )
    assert "<p>Ann &#34;&lt;script&gt;&#34; Lee</p>" in parts(made, person)["html"]
    assert parts(made, person, "webhook")["body"] == {"who": 'Ann "<script>" Lee', "n": [1, "Ann"]}


@pytest.mark.django_db
def test_a_line_break_in_a_name_makes_no_second_header() -> None:
    person = someone(1, name="Ann\r\nBcc: all@example.com")
    made = version(email={"en": {"subject": "Hi {{ profile.name }}", "text": "x"}})
    assert parts(made, person)["subject"] == "Hi Ann Bcc: all@example.com"


@pytest.mark.django_db
def test_what_somebody_lacks_is_filled_in_or_fails_for_that_one() -> None:
    person, other = someone(1, city="上海"), someone(2)
    made = version(email=email("<p>{{ profile.city }}</p>"))
    assert "上海" in parts(made, person)["html"]
    with pytest.raises(TemplateFailed) as failed:
        parts(made, other)
    assert (failed.value.code, failed.value.detail) == ("missing_value", "profile.city")
    assert "your city" in parts(version({"profile.city": "your city"}, **made.forms), other)["html"]
    soft = version(email=email('<p>{{ profile.city | default: "there" }}{% if profile.city %}!{% endif %}</p>'))
    assert "<p>there</p>" in parts(soft, other)["html"]
    assert "<p>上海!</p>" in parts(soft, person)["html"]


@pytest.mark.django_db
def test_everybody_is_written_to_in_the_nearest_language() -> None:
    made = version(
        sms={"en": {"text": "Hello"}, "zh-hans": {"text": "{{ profile.salutation }}您好", "signature": "知音"}}
    )
    people = [
        someone(1, language="zh-CN", name="王小明", gender="male"),
        someone(2, language="en-GB"),
        someone(3, language="fr"),
    ]
    told = [rendering.render(made, "sms", one.pk, now=NOON) for one in people]
    assert [one.language for one in told] == ["zh-hans", "en", "en"]
    assert told[0].parts["text"] == "【知音】王先生您好"


@pytest.mark.django_db
def test_a_name_is_only_read_where_it_is_shown() -> None:
    people = [someone(number, name="Ann Lee") for number in range(3)]
    made = version(email=email("<p>Hello</p>"))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        rendering.render(made, "email", people[0].pk, now=NOON)
    assert not [one["sql"] for one in asked if '"crm_profile"."name"' in one["sql"] or "crm_personkey" in one["sql"]]


@pytest.mark.django_db
def test_a_batch_is_read_in_as_many_queries_as_one_person(settings: Any) -> None:
    settings.PUBLIC_URL = "https://crm.example.com"
    people = [someone(number, name="Ann Lee") for number in range(12)]
    campaign = factories.campaign()
    variant = campaign.variants.get()
    variant.template = version(
        email=email('{{ profile.name }} {{ recommendations.size }} <a href="{{ unsubscribe.url }}">bye</a>')
    )
    variant.save()

    def asked(some: Any) -> int:
        renderer = Renderer(variant.template, variant, "email")
        with CaptureQueriesContext(connection) as queries:
            renderer.prepare([one.pk for one in some], NOON)
            for one in some:
                renderer.message(one.pk, uuid4())
        return len(queries)

    assert asked(people[:1]) == asked(people) <= 8


@pytest.mark.django_db
def test_links_of_a_delivery_are_tokens_and_those_of_a_preview_are_themselves(settings: Any) -> None:
    settings.PUBLIC_URL = "https://crm.example.com"
    person = someone(1, city="上海")
    variant = factories.campaign().variants.get()
    html = (
        '<a href="https://a.example/?x=1&amp;y=2">one</a> <a href="https://a.example/{{ profile.city | url_encode }}">'
        'two</a> <a href="{{ unsubscribe.url }}">bye</a> <a href="mailto:a@b.example">mail</a>'
    )
    variant.template = version(email=email(html))
    variant.save()
    renderer = Renderer(variant.template, variant, "email")
    renderer.prepare([person.pk], NOON)
    plain = renderer.message(person.pk, None).parts["html"]
    assert 'href="https://a.example/?x=1&amp;y=2"' in plain
    assert 'href="https://a.example/%E4%B8%8A%E6%B5%B7"' in plain
    told = renderer.message(person.pk, uuid4()).parts
    assert "a.example" not in told["html"] + told["text"].replace("a@b.example", "").replace("mailto:", "")
    assert told["html"].count("https://crm.example.com/l/") == 2
    assert told["text"].count("https://crm.example.com/l/") == 2
    assert told["html"].count("https://crm.example.com/o/") == 1
    assert 'href="mailto:a@b.example"' in told["html"]
    assert list(Link.objects.order_by("position").values_list("position", "url")) == [
        (0, "https://a.example/?x=1&y=2"),
        (1, "https://a.example/{{ profile.city | url_encode }}"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x.example"])
def test_an_address_that_is_none_of_the_web_leaves_in_no_message(url: str) -> None:
    person = someone(1, attributes={"page": url})
    made = version(email=email('<a href="{{ profile.attributes.page }}">x</a>'))
    with pytest.raises(TemplateFailed, match="bad_link"):
        parts(made, person)
    constant = version(email=email(f'<a href="{url}">x</a>'))
    with suppress(TemplateFailed):
        assert url not in parts(constant, person)["html"]


@pytest.mark.django_db
def test_what_runs_or_watches_is_cleaned_out_of_html() -> None:
    person = someone(1)
    html = (
        "<style>p { color: red } .x { background: url(https://spy.example/p.png) }</style><p onclick=x() class=x>Hi</p>"
        "<script>steal()</script><iframe src=https://spy.example></iframe><form><input name=a></form>"
        '<img src="javascript:x"><p style="background:url(https://spy.example/q.png)">there</p><!-- note -->'
    )
    told = parts(version(email=email(html)), person)
    assert '<p class="x"' in told["html"]
    assert "color:red" in told["html"].replace(" ", "")
    for bad in ("script", "onclick", "spy.example", "iframe", "input", "javascript", "note"):
        assert bad not in told["html"]
    assert told["text"] == "Hi\nthere"


@pytest.mark.django_db
def test_mjml_becomes_html_with_its_loops_and_columns() -> None:
    person = someone(1, city="上海")
    mjml = (
        "<mjml><mj-body><mj-section>"
        "{% for n in (1..3) %}<mj-column><mj-text>{{ n }} {{ profile.city }}</mj-text>"
        '<mj-button href="https://a.example/{{ n }}">go</mj-button></mj-column>'
        "{% endfor %}</mj-section></mj-body></mjml>"
    )
    told = parts(version(email={"en": {"subject": "x", "mjml": mjml}}), person)
    assert [f"{n} 上海" in told["html"] for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert 'href="https://a.example/3"' in told["html"]
    assert "@media only screen and (min-width:480px)" in told["html"]
    assert "3 上海" in told["text"]


@pytest.mark.django_db
def test_a_typed_key_holds_what_its_type_may() -> None:
    person = someone(1, city="上" * 21, province="上海")
    made = version(wechat={"zh-hans": {"template_id": "T1", "data": {"thing1": "{{ profile.province }}"}}})
    assert parts(made, person, "wechat")["data"] == {"thing1": "上海"}
    long = version(wechat={"zh-hans": {"template_id": "T1", "data": {"thing1": "{{ profile.city }}"}}})
    with pytest.raises(TemplateFailed, match=r"not_of_type: data\.thing1"):
        parts(long, person, "wechat")


def codes(made: TemplateVersion) -> dict[str, str]:
    return {problem.where: problem.code for problem in rendering.check(made)}


@pytest.mark.django_db
def test_a_template_is_told_what_is_wrong_with_it_by_place() -> None:
    assert codes(version(email=email("<p>{{ profile.score }}</p>"))) == {
        "email.en.html": "unknown_variable",
        "email": "missing_language",
    }
    good = email('{{ profile.name | default: "you" }} <a href="{{ unsubscribe.url }}">bye</a>')
    both = {"en": good["en"], "zh-hans": good["en"]}
    assert codes(version(email=both)) == {}
    assert codes(version(sms={"zh-hans": {"text": "{{ profile.city }}" + "好" * 70}})) == {
        "sms.zh-hans.text": "no_way_out",
        "sms.zh-hans.signature": "no_signature",
        "sms": "missing_language",
    }
    assert (
        codes(version(wechat={"en": {"template_id": "a", "data": {"thing1": "x" * 21}}}))["wechat.en.data.thing1"]
        == "not_of_type"
    )
    assert codes(version(email=email("{{ 'a' | shout }}")))["email.en.html"] == "unknown_filter"
    assert codes(version(email=email("{% include 'x' %}")))["email.en.html"] == "not_liquid"
    assert codes(version(email=email("{{ x | zy_link: 0 }}")))["email.en.html"] == "unknown_filter"
    assert codes(version(email=email("{{ _zy }}")))["email.en.html"] == "unknown_variable"


def test_a_collection_of_garbage_while_a_message_is_written_does_not_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    template = sandbox.parsed("{{ 'a' | upcase }}{{ 'b' | upcase }}", escape=False)
    kept = sandbox.PLAIN.filters["upcase"]
    collected: list[float] = []

    def long_collection(phase: str, _about: dict[str, int]) -> None:
        begun = time.thread_time()
        while phase == "start" and time.thread_time() - begun < 2 * sandbox.SECONDS:
            pass
        collected.append(time.thread_time() - begun)

    def littering(value: Any) -> Any:
        gc.collect()
        return kept(value)

    monkeypatch.setitem(sandbox.PLAIN.filters, "upcase", littering)
    gc.callbacks.append(long_collection)
    try:
        assert sandbox.rendered(template, {}) == "AB"
    finally:
        gc.callbacks.remove(long_collection)
    assert sum(collected) > 4 * sandbox.SECONDS
