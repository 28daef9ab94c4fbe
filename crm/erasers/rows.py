"""The rows of a person: gone in one transaction, after which nobody can write about her any more.

What makes this hold against live ingestion: a writer of events first gets its transaction's number, and then looks
whether its people are (still) there (``crm.ingest``). So every writer that saw the person alive has a number, and ran,
when her row went. :func:`settle` waits until all that ran then have ended; what they wrote is deleted afterwards, for
good. No writer ever waits for an erasure.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, time
from time import monotonic, sleep
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

from crm import holds, merging, partitions, shred_journal, suppression
from crm.carrying_out import NotYet, ScopeChanged
from crm.encryption import suppression_keys
from crm.erasers.subject import Subject
from crm.merging import MERGE_LOCK
from crm.models import Event, Identifier, PrivacyRequest, Profile, Suppression

BASIS = "PIPL 47"
PATIENCE = 20.0  # seconds; a bulk import commits its pieces faster

# Rows that go with the person; each (model, field). What stays empties its field or points at nobody (STAYS).
GOES: tuple[tuple[str, str], ...] = (
    ("crm.PersonKey", "profile"),
    ("crm.ConsentState", "profile"),
    ("crm.ConsentEventPerson", "profile"),
    ("crm.HandOffPerson", "profile"),
    ("crm.LedgerNotePerson", "profile"),
    ("crm.Relation", "from_profile"),
    ("crm.Relation", "to_profile"),
    ("crm.ProfileAlias", "duplicate"),
    ("crm.ProfileAlias", "canonical"),
    ("crm.TagObjection", "profile"),
    ("crm.LinkEpoch", "profile"),
    ("crm.GuardianLink", "profile"),
    ("crm.Identifier", "profile"),
)
EMPTIED: tuple[tuple[str, str], ...] = (("crm.PrivacyRequest", "profile"), ("crm.LegalHold", "profile"))
# Handled by a step of their own: events by the million, and the log of accesses, which is kept three years.
APART: tuple[tuple[str, str], ...] = (("crm.Event", "profile"), ("crm.PersonalDataAccess", "profile"))


def forget_person(request: PrivacyRequest, subject: Subject, now: datetime) -> Mapping[str, Any]:
    """Delete the person's rows and keys, of every alias; return how many of each.

    Raises
    ------
    crm.carrying_out.ScopeChanged
        The profiles are not those that were approved (a merge came between), or a hold was placed.
    """
    ids = list(subject.profiles)
    with transaction.atomic():
        # No merge may begin now, and whoever hands a message to this person or changes her consent is waited for.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
        there = list(Profile.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk", flat=True))
        now_meant: set[int] = set().union(*(merging.members(pk) for pk in there)) if there else set()
        if not now_meant <= set(ids):
            raise ScopeChanged("other profiles have become this person's since it was approved")
        if holds.on_people(there, now).exists():
            raise ScopeChanged("a legal hold was placed")
        suppressed = _suppress(ids, now)
        receipt: dict[str, Any] = {"crm.Suppression": len(suppressed)}
        people = [
            shred_journal.person_digest(*row)
            for row in Profile.objects.filter(pk__in=there).values_list("pk", "created_at")
        ]
        if people:  # nothing for the journal in a repetition: what it must be told is kept from the first time
            told = {"people": people, "suppressed": [key.hex() for key in suppressed]}
            PrivacyRequest.objects.filter(pk=request.pk).update(unshredded=told)
        for name, number in _forget_addresses(ids).items():
            receipt[name] = receipt.get(name, 0) + number
        for name, field in GOES:
            receipt[name] = receipt.get(name, 0) + _rows(name, field, ids)._raw_delete(using="default")
        for name, number in _forget_held(ids).items():
            receipt[name] = receipt.get(name, 0) + number
        for name, field in EMPTIED:
            _rows(name, field, ids).update(**{field: None})
        receipt["crm.Profile"] = Profile.objects.filter(pk__in=ids)._raw_delete(using="default")
        with connection.cursor() as cursor:  # who still sees the database of before is told by it (crm.erasers.pages)
            cursor.execute("SELECT pg_current_xact_id()::text")
            receipt["transaction"] = cursor.fetchone()[0]
    return receipt


def _forget_addresses(ids: list[int]) -> Mapping[str, int]:
    """Delete the rows of other packages that hold her addresses, or empty the field where only that is hers."""
    gone: Counter[str] = Counter()
    keys = list(Identifier.objects.filter(profile__in=ids).values_list("pk", flat=True))
    for relation in relations(Identifier) if keys else ():
        model, field = relation.related_model, relation.field
        rows = model._default_manager.filter(**{f"{field.name}__in": keys})
        if field.remote_field.on_delete is models.SET_NULL:
            gone[model._meta.label] += rows.update(**{field.name: None})
        else:
            _delete(model, rows, gone)
    return gone


def _forget_held(ids: list[int]) -> Mapping[str, int]:
    """Delete the rows of other packages whose foreign key holds the person's row, and those that hold them in turn.

    What has no foreign key in the database waits until nobody can write about her any more (:func:`forget_answers`).
    """
    gone: Counter[str] = Counter()
    for relation in relations():
        model, field = relation.related_model, relation.field
        if model._meta.app_label != Profile._meta.app_label and field.db_constraint:
            _delete(model, model._default_manager.filter(**{f"{field.name}__in": ids}), gone)
    return gone


def _delete(model: type[models.Model], rows: Any, gone: Counter[str]) -> None:
    """Delete rows, before them what refers to them; numbers are counted by model."""
    keys = list(rows.values_list("pk", flat=True))
    if not keys:
        return
    for relation in model._meta.get_fields(include_hidden=True):
        if relation.auto_created and relation.is_relation and not relation.concrete:
            held: Any = relation
            others = held.related_model._default_manager.filter(**{f"{held.field.name}__in": keys})
            _delete(held.related_model, others, gone)
    gone[model._meta.label] += model._default_manager.filter(pk__in=keys)._raw_delete(using="default")


def settle(patience: float = PATIENCE) -> Mapping[str, Any]:
    """Wait until every transaction that ran when the person's rows went has ended.

    The number that is waited for is drawn now, when they are gone: a writer may have drawn its own after the erasure's
    transaction did, and still have seen the person before that one ended.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        (drawn,) = cursor.fetchone()
    patient_until = monotonic() + patience
    while not _ended(drawn):
        if monotonic() >= patient_until:
            raise NotYet("a transaction that began before is still running")
        sleep(0.05)
    return {}


def forget_events(subject: Subject) -> Mapping[str, int]:
    """Delete what the person did, a month at a time; a month that a writer made meanwhile is met too."""
    gone = 0
    for month in sorted(partitions.existing()):
        rows = Event.objects.filter(profile__in=subject.profiles)
        begin, end = (datetime.combine(day, time(), UTC) for day in (month, partitions.next_month(month)))
        in_month = rows.filter(occurred_at__gte=begin, occurred_at__lt=end)
        gone += in_month._raw_delete(using="default")
    return {"deleted": gone}


def forget_answers(subject: Subject) -> Mapping[str, int]:
    """Delete what other packages keep about the person: scores, recommendations, memberships, deliveries.

    They are found by their relation to the profile in Django's own registry, so this package knows none of them, and
    a model that is added later is met without a line here.
    """
    gone: dict[str, int] = {}
    for relation in relations():
        model, name = relation.related_model, relation.field.name
        if model._meta.app_label == Profile._meta.app_label:
            continue
        rows = model._default_manager.filter(**{f"{name}__in": subject.profiles})
        gone[model._meta.label] = gone.get(model._meta.label, 0) + rows._raw_delete(using="default")
    return gone


def relations(model: type[models.Model] = Profile) -> list[Any]:
    """Return every relation that any model declares to a person (or another model), hidden ones too."""
    return [
        field
        for field in model._meta.get_fields(include_hidden=True)
        if field.auto_created and field.is_relation and not field.concrete
    ]


def _suppress(profiles: list[int], now: datetime) -> list[bytes]:
    """Suppress every address on every channel, and return the keyed hashes: nobody is found from them."""
    held = Identifier.objects.filter(profile__in=profiles)
    keys = sorted(set(suppression_keys((one.type, one.value) for one in held)))
    suppression.suppress_keys(keys, "", Suppression.Why.ERASED, now=now, basis=BASIS)
    return keys


def _rows(name: str, field: str, ids: list[int]) -> Any:
    model: type[models.Model] = apps.get_model(name)
    return model._default_manager.filter(**{f"{field}__in": ids})


def _ended(transaction_id: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::xid8 < pg_snapshot_xmin(pg_current_snapshot())", [transaction_id])
        return bool(cursor.fetchone()[0])
