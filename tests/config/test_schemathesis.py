"""Generated requests, good and bad, find no answer that the OpenAPI description does not foresee."""

from copy import deepcopy
from itertools import count
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi import checks

from campaigns import egress
from config.scopes import SCOPES
from tests import api
from tests.api import three_models  # noqa: F401

pytestmark = pytest.mark.usefixtures("three_models")

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
MODES = pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))


LOOKUP = {"type": "external_id", "value": "u-1001-secret"}
CONSENT = {"identifier": LOOKUP, "purpose": "offers", "state": "given"}
RULE: dict[str, Any] = {"rule": {"all": []}}
FORMS = {"forms": {"email": {"en": {"subject": "Hello", "html": "<p>Hello</p>"}}}}
BODIES: dict[str, Any] = {
    "jobs/": {"spec": "churn"},
    "lookup/": LOOKUP,
    "person-tokens/": {"identifier": LOOKUP},
    "privacy-requests/": {"identifier": LOOKUP, "kind": "access"},
    "consents/": CONSENT,
    "consents/batch/": {"events": [CONSENT]},
    "consents/withdraw/": {"identifier": LOOKUP},
    "consents/basis/": {"profile_ids": [1], "purpose": "offers"},
    "segments/": {"name": "teenagers", **RULE},
    "segments/count/": RULE,
    "segments/preview/": RULE,
    "members/add/": {"profile_ids": [1]},
    "members/remove/": {"profile_ids": [1]},
    "templates/": {"name": "news", **FORMS},
    "templates/check/": FORMS,
    "/preview/": {"channel": "email", "language": "en"},
    "/versions/": FORMS,
    "campaigns/": {"name": "autumn", "purpose": "offers", "channels": ["email"]},
    "unsubscribes/": {"identifier": LOOKUP},
    "journeys/{campaign}/enter/": {"identifier": LOOKUP, "key": "order 1"},
    "journeys/{campaign}/leave/": {"identifier": LOOKUP},
    "sending/go-on/": {"reason": "The price is right."},
    "webhooks/": {"name": "till", "url": "https://1.1.1.1/", "kinds": ["consent.given"]},
    "messages/{message}/replay/": {},
    "webhooks/{id}/replay/": {"since": "2026-01-01T00:00:00Z"},
}
QUERIES: dict[str, Any] = {"/basis/": {"purpose": "offers"}, "/consent-forms/": {"purposes": "offers"}}
RESOURCES = {
    "profiles": "profile",
    "items": "item",
    "clusters": "cluster",
    "models": "model",
    "jobs": "job",
    "purposes": "purpose",
    "notices": "notice",
    "figures": "figure",
    "segments": "segment",
    "templates": "template",
    "campaigns": "campaign",
    "journeys": "journey",
    "deliveries": "delivery",
    "reports": "campaign",
    "webhooks": "webhook",
}
# What the one campaign, journey and job, cancelled before their turn, and the one segment, a rule, cannot do.
NEVER = [
    *(
        f"POST /api/v1/campaigns/{{id}}/{verb}/"
        for verb in ("approve", "pause", "refuse", "resume", "schedule", "submit")
    ),
    "POST /api/v1/jobs/{id}/pause/",
    "POST /api/v1/journeys/{campaign}/enter/",
    *(f"POST /api/v1/mini-program/{what}/" for what in ("login", "phone", "subscriptions")),  # the house has none
    *(f"POST /api/v1/segments/{{id}}/members/{verb}/" for verb in ("add", "remove")),
]


@pytest.fixture
def described(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> BaseSchema:
    """What a server says of itself; it has a row of everything, and lets one client ask as often as it likes."""
    monkeypatch.setattr(egress, "addresses", no_names)
    monkeypatch.setitem(django_settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "client", "1000000/minute")
    return schemathesis.openapi.from_url(f"{live_server.url}/api/schema/?format=json")


def no_names(host: str, port: int) -> None:
    """Refuse generated names at once, as nobody has them; only literal addresses are looked at."""
    if not egress.is_public(host.strip("[]")):
        raise egress.Forbidden("private")


def ask_all(described: BaseSchema, mode: GenerationMode, examples: int) -> dict[str, set[int]]:
    """Send generated requests to every operation and return the statuses seen; raise where one is not described."""
    house = api.house()
    token = api.acting_token(User.objects.create(username="chief", is_staff=True, is_superuser=True), *SCOPES)
    operations: list[Any] = [found.ok() for found in described.get_all_operations()]  # type: ignore[union-attr]
    return {operation.label: ask(operation, mode, token, house, examples) for operation in operations}


def ask(operation: Any, mode: GenerationMode, token: str, house: api.House, examples: int) -> set[int]:
    statuses: set[int] = set()
    turn = count()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples < 100,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Case[Any]) -> None:
        if mode == GenerationMode.POSITIVE and next(turn) % 2:
            make_real(case, house)
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    try:
        send()
    except Unsatisfiable:  # it asks for nothing at all, so nothing can be wrong
        assert mode == GenerationMode.NEGATIVE
        assert not operation.body
    return statuses


def make_real(case: Case[Any], house: api.House) -> None:
    """Let a request mean a row that exists: nothing generated would ever guess one."""
    path = case.operation.path
    if key := next((name for name in ("id", "campaign") if f"{{{name}}}" in path), None):
        real_id = house.ids[RESOURCES[path.split("/")[3]]]
        below = {"profile": house.profile.pk, "message": str(house.message.pk)}
        named = {name: value for name, value in below.items() if f"{{{name}}}" in path}
        case.path_parameters = {key: real_id if isinstance(real_id, int) else str(real_id), **named}
    if "{reference}" in path:
        case.path_parameters = {"reference": str(house.ids["request"])}
    query: dict[str, Any] = case.query or {}
    for name in ("cursor", "since", "until", "kind", "run", "version", "at"):
        query.pop(name, None)
    if case.method == "POST":
        case.body = real(path, BODIES, case.body)
        if path.endswith("/v1/campaigns/"):
            case.body = {**BODIES["campaigns/"], "segment": house.segment.pk}
    else:
        case.query = real(path, QUERIES, case.query)
    if case.headers:
        case.headers.pop("Idempotency-Key", None)  # real bodies under generated keys would be conflicts


def real(path: str, known: dict[str, Any], generated: Any) -> Any:
    fitting = [ending for ending in known if path.endswith(ending)]
    return deepcopy(known[max(fitting, key=len)]) if fitting else generated


@MODES
def test_a_few_generated_requests_are_answered_as_described(described: BaseSchema, mode: GenerationMode) -> None:
    seen = ask_all(described, mode, examples=2)  # one made up, one made real
    assert len(seen) == 103
    if mode == GenerationMode.POSITIVE:
        never_done = [operation for operation, statuses in seen.items() if min(statuses) >= 300]
        assert sorted(never_done) == sorted(NEVER)


@pytest.mark.nightly
@MODES
def test_many_generated_requests_are_answered_as_described(described: BaseSchema, mode: GenerationMode) -> None:
    ask_all(described, mode, examples=400)
