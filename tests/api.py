"""Callers of the REST API and a small house for them to ask about, for tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application

from campaigns.models import (
    Campaign,
    Delivery,
    Journey,
    JourneyEntry,
    JourneyVersion,
    Segment,
    Template,
    WebhookEndpoint,
    WebhookMessage,
)
from config.models import ApiAccess
from crm import partitions
from crm.models import Event, Identifier, Item, JobRun, Notice, PrivacyRequest, Profile, Purpose
from crm.uuid7 import uuid7
from mlengine.models import Cluster, ClusterMember, Metric, ModelVersion, PredictionRun, Recommendation, Score
from mlengine.specs import SPECS, Spec
from tests import factories
from tests.campaigns import factories as campaigns
from tests.crm import consents

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def spec(name: str, answers: str) -> Spec:
    """Return a spec whose science is never asked."""
    return Spec(
        name=name,
        title=name,
        description="",
        answers=answers,
        task="tests.none",
        horizon=timedelta(days=28),
        activity_window=timedelta(days=90),
        decided_by="roc_auc",
        min_profiles=1,
        min_events=1,
        min_days=1,
    )


THREE_MODELS = {
    "churn": spec("churn", "score"),
    "recommendations": spec("recommendations", "recommendation"),
    "rfm": spec("rfm", "cluster"),
}


def application(*scopes: str, name: str = "shop") -> Application:
    """Return a client that may ask for the scopes; its secret is of no use, tokens are made by ``token``."""
    made = Application.objects.create(
        name=name,
        client_secret=token_urlsafe(),
        hash_client_secret=False,  # a good hash takes a tenth of a second
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    ApiAccess.objects.create(application=made, scopes=list(scopes))
    return made


def token(*scopes: str, of: Application | None = None, expires_in: timedelta = timedelta(hours=1)) -> str:
    """Return an access token with exactly the scopes; its client may ask for them from now on."""
    text = token_urlsafe()
    expires = timezone.now() + expires_in
    of = of or application(*scopes)
    access = ApiAccess.objects.get(application=of)  # a scope that a client has not (or not any more) is not its token's
    ApiAccess.objects.filter(pk=access.pk).update(scopes=sorted({*access.scopes, *scopes}))
    AccessToken.objects.create(application=of, token=text, scope=" ".join(scopes), expires=expires)
    return text


def bearer(text: str) -> Client:
    """Return a client that sends the token with every request; it shows 500 as a server would."""
    return Client(headers={"Authorization": f"Bearer {text}"}, raise_request_exception=False)


def caller(*scopes: str) -> Client:
    """Return a client with exactly the scopes."""
    return bearer(token(*scopes))


def acting(user: User, *scopes: str) -> Client:
    """Return a client with the scopes that acts for a member of staff, who has agreed to it."""
    return bearer(acting_token(user, *scopes))


def acting_token(user: User, *scopes: str) -> str:
    made = application(*scopes, name=f"for {user}")
    made.user = user
    made.save()
    ApiAccess.objects.get(application=made).agree(user)
    return token(*scopes, of=made)


def error(answer: Any) -> tuple[int, str, str | None]:
    """Return status, code and field of an answer that must be an error in the one shape."""
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "field"}
    assert body["error"]["message"]
    return answer.status_code, body["error"]["code"], body["error"]["field"]


@pytest.fixture
def three_models() -> Iterator[None]:
    """The three models of the house, whatever models the project has."""
    kept = dict(SPECS)
    SPECS.clear()
    SPECS.update(THREE_MODELS)
    yield
    SPECS.clear()
    SPECS.update(kept)


@pytest.fixture
def own_counters(settings: Any) -> None:
    """Counters in the cache that no other test, and no other test process, counts on."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": token_urlsafe()}}


@dataclass(frozen=True, kw_only=True)
class House:
    """One person with everything that can be known about her, and what she was offered."""

    profile: Profile
    item: Item
    cluster: Cluster
    version: ModelVersion
    job: JobRun
    purpose: Purpose
    notice: Notice
    request: PrivacyRequest
    segment: Segment
    template: Template
    campaign: Campaign
    journey: Journey
    delivery: Delivery
    webhook: WebhookEndpoint
    message: WebhookMessage

    @property
    def ids(self) -> dict[str, Any]:
        rows = {
            "profile": self.profile,
            "item": self.item,
            "cluster": self.cluster,
            "model": self.version,
            "job": self.job,
            "purpose": self.purpose,
            "notice": self.notice,
            "segment": self.segment,
            "template": self.template,
            "campaign": self.campaign,
            "journey": self.journey,
            "delivery": self.delivery,
            "webhook": self.webhook,
            "message": self.message,
        }
        own = {"request": self.request.reference, "figure": "people-by-gender"}
        return {name: row.pk for name, row in rows.items()} | own


def house() -> House:
    """Return a house in which every resource has a row."""
    profile = factories.profile("u-1001-secret", name="Zhang Wei", attributes={"email": "zhang@qq.com", "tier": "gold"})
    for type_, value in (("email", "zhang@qq.com"), ("phone", "13800138000")):
        Identifier.objects.create(type=type_, value=value, profile=profile, created_at=NOW)
    item = factories.item("B1", title="Oolong tea", categories=["drinks", "tea"], price="12.50", currency="CNY")
    event(profile, kind=Event.Kind.PURCHASE, item=item, value="12.50", properties={"phone": "13800138000", "till": 3})
    version, runs = _learned()
    Score.objects.create(profile=profile, run=runs["churn"], value=0.25, reasons=[])
    Recommendation.objects.create(profile=profile, run=runs["recommendations"], item=item, rank=1, value=0.9, reason={})
    cluster = Cluster.objects.create(spec="rfm", code=1, name={"en": "Champions"}, first_seen_at=NOW)
    ClusterMember.objects.create(profile=profile, run=runs["rfm"], cluster=cluster)
    job = JobRun.objects.create(kind="train", title="Train churn", created_at=NOW)
    factories.assess()
    purpose = consents.purpose()
    notice = consents.notice("offers")
    asked = PrivacyRequest.objects.create(
        kind="access", method="api", profile=profile, status="withdrawn", received_at=NOW, ended_at=NOW
    )
    rows: dict[str, Any] = {"profile": profile, "item": item, "cluster": cluster, "version": version, "job": job}
    return House(**rows, **_campaign(profile), **_webhook(profile), purpose=purpose, notice=notice, request=asked)


def _campaign(profile: Profile) -> dict[str, Any]:
    """Return a draft that could be submitted, and a message of an earlier run of it."""
    campaigns.account()
    draft = campaigns.campaign("spring", status=Campaign.Status.DRAFT, submitted_by=None, approved_by=None)
    variant = draft.variants.get()
    shares = {"holdout": 0.1, "variants": {str(variant.pk): 0.9}}
    run = draft.runs.create(
        id=uuid4(), key="once", salt="s", shares=shares, starts_at=NOW, planned_at=NOW, status="done"
    )
    delivery = Delivery.objects.create(
        id=uuid4(), occasion=run.pk, run=run, variant=variant, profile=profile, channel="email", status="suppressed",
        reason="no_address", planned_at=NOW, due_at=NOW, expires_at=NOW + timedelta(days=1), logged=True,
    )  # fmt: skip
    rows = {"segment": draft.segment, "template": variant.template.template, "campaign": draft, "delivery": delivery}
    return rows | {"journey": _journey(draft, profile)}


def _journey(like: Campaign, profile: Profile) -> Journey:
    """Return a journey that was cancelled, and whom one person was on the way through."""
    campaign = Campaign.objects.get(pk=like.pk)
    campaign.pk, campaign.name, campaign.kind, campaign.status = None, "way", Campaign.Kind.JOURNEY, "cancelled"
    campaign.save()
    graph = {"trigger": {"kind": "api"}, "first": "pause", "steps": {"pause": {"kind": "wait", "minutes": 60}}}
    made = Journey.objects.create(campaign=campaign)
    made.live = JourneyVersion.objects.create(journey=made, number=1, graph=graph, status="retired", made_at=NOW)
    made.save()
    run = campaign.runs.create(id=uuid4(), key="triggers", salt="s", shares={}, starts_at=NOW, status="cancelled")
    JourneyEntry.objects.create(
        id=uuid4(), run=run, version=made.live, profile=profile, status="left", reason="cancelled", step="pause",
        entered_at=NOW, step_at=NOW, due_at=NOW, ended_at=NOW,
    )  # fmt: skip
    return made


def _webhook(profile: Profile) -> dict[str, Any]:
    """Return an endpoint that nobody may call, and a message to it that was given up."""
    made = WebhookEndpoint(
        name="shop", url="http://127.0.0.1/", kinds=["consent.given"], secret="whsec_" + "A" * 32, created_at=NOW
    )
    made.save()
    message = WebhookMessage.objects.create(
        id=uuid4(), endpoint=made, kind="consent.given", profile=profile, body={}, happened_at=NOW, created_at=NOW
    )
    return {"webhook": made, "message": message}


def event(profile: Profile, occurred_at: datetime = NOW, **facts: Any) -> Event:
    """Return a new event of the profile."""
    partitions.ensure([partitions.month_of(occurred_at)])
    told = {"kind": Event.Kind.VIEW, "properties": {}, "received_at": occurred_at} | facts
    return Event.objects.create(
        id=uuid7(occurred_at), source=factories.source(), profile=profile, occurred_at=occurred_at, **told
    )


def run(spec: str, cutoff: datetime = NOW, finished_at: datetime | None = NOW) -> PredictionRun:
    """Return a run of a champion of the spec, finished unless said otherwise."""
    version = ModelVersion.objects.champion(spec) or ModelVersion.objects.create(
        spec=spec, number=1, stage="champion", cutoff=cutoff, trained_at=cutoff
    )
    return PredictionRun.objects.create(
        spec=spec, version=version, cutoff=cutoff, started_at=cutoff, finished_at=finished_at
    )


def _learned() -> tuple[ModelVersion, dict[str, PredictionRun]]:
    runs = {spec: run(spec) for spec in ("churn", "recommendations", "rfm")}
    version = runs["churn"].version
    Metric.objects.create(version=version, kind="backtest", subject="churn", name="roc_auc", value=0.9, cutoff=NOW)
    return version, runs
