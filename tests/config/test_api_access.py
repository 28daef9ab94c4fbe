"""Who may ask what: every address of the API, with no token, the wrong scope, and the right one."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from django.core.signing import Signer, dumps
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from oauth2_provider.models import Application

from config.api import router
from config.scopes import SCOPES
from crm import person_tokens
from crm.models import Profile
from tests import api, factories
from tests.api import three_models  # noqa: F401
from tests.emptying import undone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("three_models")]

LOOKUP = {"type": "external_id", "value": "u-1001-secret"}
CONSENT = {"identifier": LOOKUP, "purpose": "offers", "state": "given"}
RULE: dict[str, Any] = {"rule": {"all": []}}
FORMS = {"forms": {"email": {"en": {"subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}}}}
DRAFT = {"name": "autumn", "purpose": "offers", "segment": "{segment}", "channels": ["email"]}
SUBSCRIBED = {"appid": "wx1", "key": "k" * 8, "answers": {"t": "accept"}}
ADDRESSES = [
    ("GET", "profiles/", "profiles:read", None),
    ("GET", "profiles/{profile}/", "profiles:read", None),
    ("POST", "profiles/lookup/", "profiles:read", LOOKUP),
    ("GET", "profiles/{profile}/events/", "events:read", None),
    ("GET", "profiles/{profile}/scores/", "scores:read", None),
    ("GET", "profiles/{profile}/clusters/", "clusters:read", None),
    ("GET", "profiles/{profile}/recommendations/", "recommendations:read", None),
    ("GET", "profiles/{profile}/repurchases/", "events:read", None),
    ("GET", "profiles/{profile}/response/", "scores:read", None),
    ("GET", "items/{item}/companions/", "items:read", None),
    ("GET", "items/", "items:read", None),
    ("GET", "items/{item}/", "items:read", None),
    ("GET", "clusters/", "clusters:read", None),
    ("GET", "clusters/{cluster}/", "clusters:read", None),
    ("GET", "clusters/{cluster}/members/", "clusters:read", None),
    ("GET", "figures/", "figures:read", None),
    ("GET", "figures/{figure}/", "figures:read", None),
    ("GET", "models/", "models:read", None),
    ("GET", "models/{model}/", "models:read", None),
    ("GET", "models/{model}/lineage/", "models:read", None),
    ("GET", "jobs/", "jobs:read", None),
    ("GET", "jobs/{job}/", "jobs:read", None),
    ("POST", "jobs/", "models:train", {"spec": "churn"}),
    ("POST", "jobs/{job}/pause/", "jobs:control", None),
    ("POST", "jobs/{job}/cancel/", "jobs:control", None),
    ("POST", "person-tokens/", "person-tokens:create", {"identifier": LOOKUP}),
    ("POST", "consents/", "consent:write", CONSENT),
    ("POST", "consents/batch/", "consent:write", {"events": [CONSENT]}),
    ("POST", "consents/withdraw/", "consent:write", {"identifier": LOOKUP}),
    ("POST", "consents/basis/", "consent:read", {"profile_ids": [1], "purpose": "offers"}),
    ("GET", "profiles/{profile}/consents/", "consent:read", None),
    ("GET", "profiles/{profile}/consent-history/", "consent:read", None),
    ("GET", "profiles/{profile}/basis/?purpose=offers", "consent:read", None),
    ("POST", "privacy-requests/", "privacy:write", {"kind": "access", "identifier": LOOKUP}),
    ("GET", "privacy-requests/{request}/", "privacy:read", None),
    ("GET", "consent-forms/?purposes=offers", "consent:read", None),
    ("GET", "purposes/", "consent:read", None),
    ("GET", "purposes/{purpose}/", "consent:read", None),
    ("GET", "notices/", "consent:read", None),
    ("GET", "notices/{notice}/", "consent:read", None),
    ("GET", "segments/", "segments:read", None),
    ("GET", "segments/{segment}/", "segments:read", None),
    ("GET", "segments/{segment}/versions/", "segments:read", None),
    ("GET", "segments/{segment}/count/", "segments:read", None),
    ("POST", "segments/count/", "segments:read", RULE),
    ("GET", "segments/{segment}/members/", "segments:members", None),
    ("POST", "segments/preview/", "segments:members", RULE),
    ("POST", "segments/", "segments:write", {"name": "teenagers", **RULE}),
    ("PATCH", "segments/{segment}/", "segments:write", {"description": "of all ages"}),
    ("POST", "segments/{segment}/archive/", "segments:write", None),
    ("POST", "segments/{segment}/restore/", "segments:write", None),
    ("POST", "segments/{segment}/members/add/", "segments:write", {"profile_ids": [1]}),
    ("POST", "segments/{segment}/members/remove/", "segments:write", {"profile_ids": [1]}),
    ("GET", "templates/", "templates:read", None),
    ("GET", "templates/{template}/", "templates:read", None),
    ("GET", "templates/{template}/versions/", "templates:read", None),
    ("GET", "templates/{template}/problems/", "templates:read", None),
    ("POST", "templates/check/", "templates:read", FORMS),
    ("POST", "templates/{template}/preview/", "templates:read", {"channel": "email", "language": "en"}),
    ("POST", "templates/", "templates:write", {"name": "news", **FORMS}),
    ("PATCH", "templates/{template}/", "templates:write", {"description": "kind"}),
    ("POST", "templates/{template}/versions/", "templates:write", FORMS),
    ("GET", "campaigns/", "campaigns:read", None),
    ("GET", "campaigns/{campaign}/", "campaigns:read", None),
    ("GET", "campaigns/{campaign}/problems/", "campaigns:read", None),
    ("POST", "campaigns/", "campaigns:write", DRAFT),
    ("PATCH", "campaigns/{campaign}/", "campaigns:write", {"priority": 60}),
    ("POST", "campaigns/{campaign}/submit/", "campaigns:write", None),
    ("POST", "campaigns/{campaign}/approve/", "campaigns:approve", {"seen": "0" * 64}),
    ("POST", "campaigns/{campaign}/refuse/", "campaigns:approve", {"reason": "Too loud."}),
    ("POST", "campaigns/{campaign}/schedule/", "campaigns:run", None),
    ("POST", "campaigns/{campaign}/pause/", "campaigns:run", None),
    ("POST", "campaigns/{campaign}/resume/", "campaigns:run", None),
    ("POST", "campaigns/{campaign}/cancel/", "campaigns:run", None),
    ("GET", "journeys/", "journeys:read", None),
    ("GET", "journeys/{journey}/", "journeys:read", None),
    ("GET", "journeys/{journey}/entries/", "journeys:people", None),
    ("GET", "journeys/{journey}/people/{profile}/", "journeys:people", None),
    ("POST", "journeys/{journey}/enter/", "journeys:enter", {"identifier": LOOKUP, "key": "order 1"}),
    ("POST", "journeys/{journey}/leave/", "journeys:enter", {"identifier": LOOKUP}),
    ("GET", "deliveries/", "deliveries:read", None),
    ("GET", "deliveries/{delivery}/", "deliveries:read", None),
    ("GET", "unsubscribes/", "unsubscribes:read", None),
    ("POST", "unsubscribes/", "unsubscribes:write", {"identifier": LOOKUP}),
    ("GET", "reports/", "reports:read", None),
    ("GET", "reports/{campaign}/", "reports:read", None),
    ("GET", "sending/", "campaigns:read", None),
    ("POST", "sending/stop/", "sending:stop", None),
    ("POST", "sending/go-on/", "sending:stop", {"reason": "The price is right."}),
    ("POST", "mini-program/login/", "mini-program:login", {"appid": "wx1", "code": "c"}),
    ("POST", "mini-program/phone/", "mini-program:write", {"appid": "wx1", "agreed": False, "purpose": "offers"}),
    ("POST", "mini-program/subscriptions/", "mini-program:write", SUBSCRIBED),
    ("GET", "webhooks/", "webhooks:read", None),
    ("GET", "webhooks/{webhook}/", "webhooks:read", None),
    ("GET", "webhooks/{webhook}/messages/", "webhooks:read", None),
    ("POST", "webhooks/", "webhooks:write", {"name": "till", "url": "https://1.1.1.1/", "kinds": ["consent.given"]}),
    ("PATCH", "webhooks/{webhook}/", "webhooks:write", {"kinds": ["consent.given"]}),
    ("POST", "webhooks/{webhook}/rotate/", "webhooks:write", None),
    ("POST", "webhooks/{webhook}/test/", "webhooks:write", None),
    ("POST", "webhooks/{webhook}/off/", "webhooks:write", None),
    ("POST", "webhooks/{webhook}/on/", "webhooks:write", None),
    ("POST", "webhooks/{webhook}/replay/", "webhooks:write", {"since": "2026-01-01T00:00:00Z"}),
    ("POST", "webhooks/{webhook}/messages/{message}/replay/", "webhooks:write", None),
]
# What a POST answers where it is not 200.
RIGHT = {"jobs/": 202, "person-tokens/": 201, "consents/": 201, "privacy-requests/": 201}
RIGHT |= dict.fromkeys(
    ["segments/", "templates/", "templates/{template}/versions/", "campaigns/", "unsubscribes/", "webhooks/"], 201
)
# What a draft, or a segment that a rule describes, is in the wrong state for.
RIGHT |= {f"campaigns/{{campaign}}/{verb}/": 409 for verb in ("approve", "refuse", "schedule", "pause", "resume")}
RIGHT |= {f"segments/{{segment}}/members/{verb}/": 409 for verb in ("add", "remove")}
RIGHT["journeys/{journey}/enter/"] = 409  # it does not run
RIGHT |= {f"mini-program/{what}/": 400 for what in ("login", "phone", "subscriptions")}  # the house has none


def asked_of_all(client: Callable[[str, str, str], Client]) -> Iterator[tuple[tuple[str, str], str, Any]]:
    """Ask every address of the same house, each by a new client; yield method and path, scope and answer."""
    house = api.house()
    for method, path, scope, body in ADDRESSES:
        with undone():
            yield (method, path), scope, ask(client(method, path, scope), method, path, body, house)


def ask(client: Client, method: str, path: str, body: object, house: api.House):  # type: ignore[no-untyped-def]
    address = "/api/v1/" + path.format(**house.ids)
    if method == "GET":
        return client.get(address)
    told = {name: house.ids["segment"] if value == "{segment}" else value for name, value in dict(body or {}).items()}  # type: ignore[call-overload]
    return getattr(client, method.lower())(address, told, content_type="application/json")


def permission_of(method: str, path: str) -> str:
    """Return what a member of staff must be allowed in whose name the client asks; nothing where none is needed."""
    view, actions = routes()[method, shape(path)]
    return str(getattr(view, "permissions", {}).get(actions[method.lower()], ""))


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{pk}", path.partition("?")[0])


def routes() -> dict[tuple[str, str], tuple[Any, Any]]:
    """Return every address of the API, with the view that answers and its actions by method."""
    return {
        (method.upper(), re.sub(r"\(\?P<\w+>.*?\)(?=/|$)", "{pk}", url.pattern.regex.pattern).strip("^$\\Z")): (
            cast("Any", url.callback).cls,
            cast("Any", url.callback).actions,
        )
        for url in router.urls
        for method in cast("Any", url.callback).actions
        if method != "head"  # answered as GET
    }


def whoever(method: str, path: str, *scopes: str) -> Client:
    """Return a client with the scopes; where a person is needed, it acts for one who may do all that staff may."""
    if not permission_of(method, path):
        return api.caller(*scopes)
    return api.acting(User.objects.create(username="chief", is_staff=True, is_superuser=True), *scopes)


def test_the_table_names_every_address_and_scope() -> None:
    named = {(method, shape(path)) for method, path, _scope, _body in ADDRESSES}
    assert named == set(routes())
    assert {scope for _method, _path, scope, _body in ADDRESSES} == set(SCOPES) - {"profiles:unmasked"}


def test_without_a_token_nothing_is_told() -> None:
    for address, _scope, answer in asked_of_all(lambda *_address: Client()):
        assert api.error(answer) == (401, "not_authenticated", None), address
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"', address


def test_every_other_scope_together_is_not_enough() -> None:
    for address, scope, answer in asked_of_all(lambda *about: whoever(*about[:2], *(set(SCOPES) - {about[2]}))):
        assert api.error(answer) == (403, "permission_denied", None), address
        assert scope in answer.json()["error"]["message"], address


def test_the_one_scope_is_enough() -> None:
    for (method, path), _scope, answer in asked_of_all(whoever):
        wanted = RIGHT.get(path, 200) if method == "POST" else 200
        assert answer.status_code == wanted, (method, path, answer.content)


def test_a_person_token_opens_only_the_persons_recommendations() -> None:
    for address, _scope, answer in asked_of_all(lambda *_address: person(Profile.objects.earliest("pk").pk)):
        if address[1].endswith("/recommendations/"):
            assert answer.status_code == 200
        else:
            assert api.error(answer) == (403, "permission_denied", None), address


def test_another_persons_address_and_one_that_does_not_exist_answer_alike() -> None:
    house = api.house()
    stranger = person(factories.profile("stranger").pk)
    another = stranger.get(f"/api/v1/profiles/{house.profile.pk}/recommendations/")
    nobody = stranger.get("/api/v1/profiles/999999999/recommendations/")
    assert api.error(another) == (403, "permission_denied", None)
    assert another.content == nobody.content


def test_an_expired_access_token_is_refused() -> None:
    old = api.bearer(api.token("items:read", expires_in=timedelta(seconds=-1)))
    assert api.error(old.get("/api/v1/items/")) == (401, "authentication_failed", None)


def test_a_token_ends_with_its_application() -> None:
    shop = api.application("items:read")
    client = api.bearer(api.token("items:read", of=shop))
    assert client.get("/api/v1/items/").status_code == 200
    shop.delete()
    assert client.get("/api/v1/items/").status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer  ", "Basic YTpi", "Bearer \x00", "Bearer é", "Bearer a b", "x" * 5000]
)
def test_strange_authorization_headers_are_no_token(header: str) -> None:
    answer = Client(headers={"Authorization": header}, raise_request_exception=False).get("/api/v1/items/")
    assert answer.status_code == 401


def shop() -> int:
    """Return the key of the client whose pages hold the persons' tokens."""
    there = Application.objects.filter(name="the shop's pages").first()
    return int((there or api.application("person-tokens:create", name="the shop's pages")).pk)


def minted(profile_id: int, age: timedelta = timedelta(0), purpose: str = "recommendations") -> str:
    then = timezone.now() - age
    said = person_tokens.PersonToken(
        client_id=shop(), profile_id=profile_id, purpose=purpose, expires_at=then + person_tokens.LONGEST
    )
    return person_tokens.mint(said, then)


def person(profile_id: int) -> Client:
    return api.bearer(minted(profile_id))


def status_with(text: str, profile_id: int) -> int:
    return api.bearer(text).get(f"/api/v1/profiles/{profile_id}/recommendations/").status_code


def test_a_person_token_is_refused_when_its_time_is_over() -> None:
    profile = factories.profile()
    assert status_with(minted(profile.pk, age=timedelta(minutes=14, seconds=50)), profile.pk) == 200
    assert status_with(minted(profile.pk, age=timedelta(minutes=15)), profile.pk) == 401


def test_a_person_token_that_was_changed_is_refused() -> None:
    profile = factories.profile()
    good = minted(profile.pk)
    payload, _, signature = good.rpartition(":")
    another = Signer(salt="x").sign_object([1, profile.pk, "recommendations", 0, 2**31, 0]).rpartition(":")[0]
    for bad in (
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        f"{payload}x:{signature}",
        f"person.{another}:{signature}",
        "person.",
        "person.:",
    ):
        assert status_with(bad, profile.pk) == 401


def test_what_was_signed_for_something_else_is_no_person_token() -> None:
    profile = factories.profile()
    now = int(timezone.now().timestamp())
    said = [shop(), profile.pk, "recommendations", now, now + 600, 0]
    assert status_with("person." + Signer(salt=person_tokens.SALT).sign_object(said), profile.pk) == 200
    assert status_with("person." + Signer().sign_object(said), profile.pk) == 401
    assert status_with("person." + Signer(salt="django.core.signing").sign_object(said), profile.pk) == 401
    assert status_with("person." + dumps(said, salt=person_tokens.SALT), profile.pk) == 401


def test_a_person_token_for_another_purpose_opens_nothing() -> None:
    profile = factories.profile()
    assert status_with(minted(profile.pk, purpose="scores"), profile.pk) == 403


def test_a_person_token_lives_no_longer_than_a_quarter_of_an_hour() -> None:
    now = timezone.now()
    said = person_tokens.PersonToken(
        client_id=1, profile_id=1, purpose="recommendations", expires_at=now + timedelta(minutes=16)
    )
    with pytest.raises(ValueError, match="at most 0:15:00"):
        person_tokens.mint(said, now)


def test_a_minted_token_reads_the_recommendations_of_its_person() -> None:
    house = api.house()
    made = api.caller("person-tokens:create").post(
        "/api/v1/person-tokens/", {"identifier": LOOKUP, "lifetime": 60}, content_type="application/json"
    )
    assert made.status_code == 201
    assert made.json()["profile_id"] == house.profile.pk
    browser = api.bearer(made.json()["token"])
    answer = browser.get(f"/api/v1/profiles/{made.json()['profile_id']}/recommendations/")
    assert [row["item"]["title"] for row in answer.json()["results"]] == ["Oolong tea"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "profile_id"),
        ({"profile_id": 1, "identifier": LOOKUP}, "profile_id"),
        ({"profile_id": 2**63}, "profile_id"),
        ({"profile_id": 999999999}, "profile_id"),
        ({"identifier": {"type": "e-mail", "value": "x"}}, "identifier.type"),
        ({"identifier": {"type": "email", "value": "a\x00b"}}, "identifier.value"),
        ({"identifier": {"type": "email", "value": "\ud800"}}, "identifier.value"),
        ({"identifier": LOOKUP, "lifetime": 901}, "lifetime"),
        ({"identifier": LOOKUP, "purpose": "scores"}, "purpose"),
        ([], None),
    ],
)
def test_a_person_token_is_not_made_from_a_bad_question(body: object, field: str | None) -> None:
    answer = api.caller("person-tokens:create").post("/api/v1/person-tokens/", body, content_type="application/json")
    assert api.error(answer) == (400, "invalid", field)


def test_no_other_origin_may_read_answers_in_a_browser() -> None:
    house = api.house()
    address = f"/api/v1/profiles/{house.profile.pk}/recommendations/"
    asked = person(house.profile.pk).get(address, headers={"Origin": "https://evil.example"})
    preflight = Client().options(
        address, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    )
    for answer in (asked, preflight):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_an_origin_in_the_settings_may_read_what_is_open_to_persons_and_nothing_else(settings: Any) -> None:
    settings.API_BROWSER_ORIGINS = ["https://shop.example"]
    house, origin = api.house(), {"Origin": "https://shop.example"}
    open_to_persons = f"/api/v1/profiles/{house.profile.pk}/recommendations/"
    preflight = Client().options(open_to_persons, headers=origin | {"Access-Control-Request-Method": "GET"})
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Methods"]) == (204, "GET, POST")
    for answer in (preflight, person(house.profile.pk).get(open_to_persons, headers=origin)):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    closed = [f"/api/v1/profiles/{house.profile.pk}/scores/", f"/api/v1/profiles/{house.profile.pk}/", "/api/v1/items/"]
    for address in closed:
        for answer in (Client().options(address, headers=origin), Client().get(address, headers=origin)):
            assert "Access-Control-Allow-Origin" not in answer.headers
    for other in ("https://shop.example.evil", "null", "https://SHOP.example", ""):
        answer = person(house.profile.pk).get(open_to_persons, headers={"Origin": other})
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_only_the_token_addresses_of_the_toolkit_are_open() -> None:
    names = {str(url.pattern) for url in get_resolver().url_patterns}
    assert "o/" in names
    for closed in ("o/authorize/", "o/applications/", "o/applications/register/", "o/introspect/", "o/register/"):
        assert Client().get(f"/{closed}").status_code == 404
