"""What the record holds of a person, as rows that she can read: one function for each section of the reply pack."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q

from crm.models import (
    ConsentEvent,
    ConsentState,
    Event,
    Identifier,
    PrivacyRequest,
    Profile,
    ProfileAlias,
    Relation,
)

Row = Mapping[str, Any]
CHUNK = 2000


def profile_facts(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield each profile with every column it has, whatever columns those are."""
    for profile in Profile.objects.filter(pk__in=profiles).order_by("pk"):
        yield {field.name: getattr(profile, field.attname) for field in _shown_fields(profile)}


def identifiers(profiles: Sequence[int]) -> Iterator[Row]:
    rows = Identifier.objects.filter(profile__in=profiles).select_related("source").order_by("pk")
    for one in rows:
        source = one.source.name if one.source else ""
        yield {"type": one.type, "value": one.value, "verified": one.verified, "source": source, "at": one.created_at}


def relations(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield the edges, without the other person's number: that is hers."""
    mine = Relation.objects.filter(Q(from_profile__in=profiles) | Q(to_profile__in=profiles)).order_by("pk")
    for edge in mine:
        outwards = edge.from_profile_id in profiles
        yield {"kind": edge.kind, "direction": "from you" if outwards else "to you", "at": edge.created_at}


def merges(profiles: Sequence[int]) -> Iterator[Row]:
    for alias in ProfileAlias.objects.filter(duplicate__in=profiles).order_by("pk"):
        yield {
            "profile": alias.duplicate_id,
            "read_as": alias.canonical_id,
            "reason": alias.reason,
            "at": alias.merged_at,
            "undone_at": alias.undone_at,
        }


def consents(profiles: Sequence[int]) -> Iterator[Row]:
    for state in ConsentState.objects.filter(profile__in=profiles).order_by("purpose_id", "channel"):
        yield {
            "purpose": state.purpose_id,
            "channel": state.channel,
            "state": state.state,
            "since": state.claimed_at,
            "valid_until": state.valid_until,
        }


def consent_history(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield every answer, with the notice that was shown and the proof of it."""
    told = ConsentEvent.objects.filter(person__profile__in=profiles).select_related("person")
    for event in told.order_by("received_at", "pk").iterator(chunk_size=CHUNK):
        yield event.facts() | {"id": event.pk, "details": event.person.details}


def events(profiles: Sequence[int]) -> Iterator[Row]:
    done = Event.objects.filter(profile__in=profiles).select_related("item", "source").order_by("occurred_at", "pk")
    for event in done.iterator(chunk_size=CHUNK):
        facts = {field.name: getattr(event, field.attname) for field in _shown_fields(event, {"profile", "item"})}
        facts["properties"] = event.told
        yield facts | {"source": event.source.name, "item": event.item.title if event.item else ""}


def requests(profiles: Sequence[int]) -> Iterator[Row]:
    for request in PrivacyRequest.objects.filter(profile__in=profiles).order_by("received_at"):
        yield {
            "reference": request.reference,
            "kind": request.kind,
            "status": request.status,
            "received_at": request.received_at,
            "ended_at": request.ended_at,
        }


def _shown_fields(row: Any, without: "set[str] | None" = None) -> list[Any]:
    """Return the fields that say something: not keyed hashes, which mean nothing outside the house."""
    hidden = {"digest", "name_index", "suppression_key", "sealed"} | (without or set())
    return [field for field in row._meta.concrete_fields if field.name not in hidden]
