"""What people allow and take back: recorded by applications, each request with an idempotency key."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from crm import consent, consent_forms, idempotency, merged
from crm.api.browsers import ForBrowsers
from crm.api.consent_shapes import (
    BY_PERSONS,
    NOT_BY_PERSONS,
    BasesOut,
    BatchIn,
    BatchOut,
    ConsentIn,
    ConsentOut,
    ManyBasesQuestion,
    RecordedOut,
    WithdrawalIn,
    basis_out,
    new_consent,
)
from crm.api.profiles import known_by
from crm.api.repeats import KEY, Repeatable, plain
from crm.api.resources import Conflict
from crm.consent_states import counting
from crm.idempotency import Answer
from crm.models import ConsentEvent, Source

OWN = "consents"  # the purpose of a person's token that opens what is the person's own
Work = Callable[[dict[str, Any], datetime], Answer]


class ConsentViewSet(Repeatable, ForBrowsers):
    """Consent events, and whether data may be used."""

    scopes = {
        "create": "consent:write",
        "batch": "consent:write",
        "withdraw": "consent:write",
        "basis": "consent:read",
    }
    purposes = {"create": OWN, "withdraw": OWN}
    queryset = ConsentEvent.objects.none()

    @extend_schema(request=ConsentIn, responses={201: RecordedOut}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Record what a person said about one purpose.

        With a person's token the person is the token's, and the method a form, a mini program or a preference page.
        """
        return self._once(ConsentIn, self._record)

    @extend_schema(request=BatchIn, responses=BatchOut, parameters=[KEY])
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Record many events; what is good is kept, and what is not is answered with field and reason.

        `all_at_once` says that one act meant them all: then all or none are kept, and none may be separate consent.
        """
        return self._once(BatchIn, self._record_batch)

    @extend_schema(request=WithdrawalIn, responses=BatchOut, parameters=[KEY])
    @action(detail=False, methods=["post"])
    def withdraw(self, request: Request) -> Response:
        """Take back one purpose or all of them, on one channel or on every one; it wins over all said before.

        All purposes on one channel are all marketing there.
        """
        return self._once(WithdrawalIn, self._withdraw)

    @extend_schema(request=ManyBasesQuestion, responses=BasesOut)
    @action(detail=False, methods=["post"])
    def basis(self, request: Request) -> Response:
        """Whether the data of many people may be used for a purpose now: by which event, or why not."""
        asked = self.body(ManyBasesQuestion)
        try:
            found = consent.bases_for(asked["profile_ids"], asked["purpose"], asked["channel"], timezone.now())
        except consent.UnknownPurpose as unknown:
            raise serializers.ValidationError({"purpose": str(unknown)}) from None
        return Response({"results": [basis_out(profile, basis) for profile, basis in sorted(found.items())]})

    def _once(self, shape: type[serializers.Serializer[Any]], work: Work) -> Response:
        asked, now = self.body(shape), timezone.now()
        self.sent = self.key("consents")
        try:
            return self.once(self.sent, lambda: work(asked, now), now)
        except consent.ConsentRefused as refused:
            if refused.code == "conflict":
                raise Conflict(refused.reason) from None
            raise serializers.ValidationError({refused.field: refused.reason}) from None

    def _record(self, asked: dict[str, Any], now: datetime) -> Answer:
        if self.caller.is_person:
            _check_own(asked)
        profile = self._profile(asked)
        told = new_consent(asked, self.sent)
        if self.caller.is_person:
            consent_forms.check_age(told, profile, now)
        if self.caller.is_person and told.form_version == consent_forms.VERSION:
            consent_forms.check_shown(told)
        event = consent.record(profile, told, source=self._source(), now=now)
        return Answer(201, _recorded([(0, profile, event)])[0])

    def _record_batch(self, asked: dict[str, Any], now: datetime) -> Answer:
        places, refused = self._placed(asked["events"])
        wanted = [consent.Wanted(profile, new_consent(one, self._place_key(place))) for place, profile, one in places]
        if asked["all_at_once"]:
            if refused:
                raise serializers.ValidationError({"events": _("Nobody is known by one of them.")})
            outcomes: Any = consent.record_many(wanted, source=self._source(), now=now, all_at_once=True)
        else:
            outcomes = consent.record_each(wanted, source=self._source(), now=now)
        kept = []
        for (place, profile, _one), outcome in zip(places, outcomes, strict=True):
            if isinstance(outcome, consent.ConsentRefused):
                refused.append(_refusal(place, outcome.code, outcome.field, outcome.reason))
            else:
                kept.append((place, profile, outcome))
        return Answer(200, {"recorded": _recorded(kept), "refused": sorted(refused, key=lambda row: row["index"])})

    def _withdraw(self, asked: dict[str, Any], now: datetime) -> Answer:
        profile = self._profile(asked)
        heard = consent.Heard(source=self._source(), idempotency=self.sent)
        done = consent.withdraw(profile, asked["purpose"] or None, asked["channel"], asked["method"], now, heard)
        return Answer(200, {"recorded": _recorded([(n, profile, one) for n, one in enumerate(done)]), "refused": []})

    def _placed(self, events: list[dict[str, Any]]) -> tuple[list[tuple[int, int, Any]], list[dict[str, Any]]]:
        places, refused = [], []
        for place, one in enumerate(events):
            person = _person(one)
            if person is None:
                refused.append(_refusal(place, "invalid", _field(one), _("Nobody is known by this.")))
            else:
                places.append((place, person.id, one))
        return places, refused

    def _profile(self, asked: dict[str, Any]) -> int:
        own = self.caller.profile_id
        person = _person(asked) if asked.keys() & {"profile_id", "identifier"} or own is None else merged.person(own)
        if own is not None and (person is None or own not in person.profile_ids):
            raise PermissionDenied
        if person is None:
            raise serializers.ValidationError({_field(asked): _("Nobody is known by this.")})
        return person.id

    def _place_key(self, place: int) -> Any:
        return idempotency.key_of(self.sent, place) if self.sent else None

    def _source(self) -> Source:
        """Return the application as a source: the ledger says who told us."""
        name = f"API client {self.caller.client_id}"
        return Source.objects.get_or_create(name=name, defaults={"kind": Source.Kind.SERVER})[0]


def _check_own(asked: dict[str, Any]) -> None:
    """Refuse what a person's browser cannot vouch for: a guardian's consent, acts of ours, another time, proofs."""
    for field, allowed in BY_PERSONS.items():
        if asked[field] not in allowed:
            raise serializers.ValidationError({field: _("One of: %(methods)s.") % {"methods": ", ".join(allowed)}})
    for field in NOT_BY_PERSONS:
        if asked.get(field):
            raise serializers.ValidationError({field: _("Not with a person's token.")})


def _person(asked: dict[str, Any]) -> merged.Person | None:
    if "identifier" in asked:
        return known_by(asked["identifier"]["type"], asked["identifier"]["value"])
    return merged.person(asked["profile_id"]) if "profile_id" in asked else None


def _field(asked: dict[str, Any]) -> str:
    return "identifier" if "identifier" in asked else "profile_id"


def _recorded(rows: list[tuple[int, int, ConsentEvent]]) -> list[dict[str, Any]]:
    count = counting(event.pk for _, _, event in rows)
    return [
        {
            "index": place,
            "profile_id": profile,
            "event": plain(dict(ConsentOut(event).data)),
            "counts": event.pk in count,
        }
        for place, profile, event in rows
    ]


def _refusal(place: int, code: str, field: str, message: str) -> dict[str, Any]:
    return {"index": place, "code": code, "field": field or None, "message": message}
