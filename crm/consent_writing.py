"""Consent events into the record: the person locked, what was said before looked at, event, leaf and state together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from crm import evidence
from crm.consent_checks import ConsentRefused, NewConsent, check, check_source, made
from crm.consent_rules import QUESTIONS, REFUSALS, State
from crm.consent_states import keep
from crm.copying import int_array
from crm.merging import members_of
from crm.models import ConsentEvent, ConsentEventPerson, ConsentState, HandOffPerson, Notice, Profile, Purpose, Source

ONE_MOMENT = timedelta(microseconds=1)


class Wanted(NamedTuple):
    """A consent event to be recorded, and whose it is."""

    profile: int
    consent: NewConsent


def record_each(
    wanted: Sequence[Wanted], *, source: Source | None, now: datetime
) -> list["ConsentEvent | ConsentRefused"]:
    """Write those events that can be recorded, and say of the others why not; in the order given."""
    with transaction.atomic():
        people = members_of(one.profile for one in wanted)
        desk = _Desk(
            purposes=purposes_of(wanted),
            notices=_notices_of(wanted),
            source=source,
            now=now,
            people=people,
            locked=lock(member for members in people.values() for member in members),
        )
        desk.look_back(wanted)
        outcomes = [desk.take(index, one) for index, one in enumerate(wanted)]
        desk.write()
    return outcomes


def lock(profiles: Iterable[int]) -> set[int]:
    """Lock profiles in the order of their ids until the transaction ends, and return those that exist.

    This is what a withdrawal and a hand-off meet at: a hand-off shares the lock of all of a person's profiles, so
    whoever commits first comes first. NO KEY UPDATE, not UPDATE: it excludes FOR SHARE just as well, and leaves alone
    those who merely insert rows that refer to the profile.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM crm_profile WHERE id = ANY (%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
            [int_array(set(profiles))],
        )
        return {id_ for (id_,) in cursor.fetchall()}


def purposes_of(wanted: Iterable[Wanted]) -> dict[str, Purpose]:
    """Return the purposes that are named, by code; unknown ones are missing."""
    codes = {one.consent.purpose for one in wanted}
    return {purpose.code: purpose for purpose in Purpose.objects.filter(code__in=codes)}


def _notices_of(wanted: Iterable[Wanted]) -> dict[str, Notice]:
    references = {one.consent.notice for one in wanted if one.consent.notice}
    return {notice.reference: notice for notice in Notice.objects.filter(reference__in=references)}


@dataclass(kw_only=True)
class _Desk:
    """Takes one wanted event after the other, knowing what the people said before; writes them all together."""

    purposes: Mapping[str, Purpose]
    notices: Mapping[str, Notice]
    source: Source | None
    now: datetime
    people: Mapping[int, set[int]]  # all profiles of the person that a wanted profile belongs to
    locked: set[int]
    known: dict[UUID, ConsentEvent] = field(default_factory=dict)
    states: dict[tuple[int, str], list[ConsentState]] = field(default_factory=lambda: defaultdict(list))
    threads: dict[tuple[int, str], UUID] = field(default_factory=dict)  # the first event of each
    last: dict[int, datetime] = field(default_factory=dict)  # what a refusal of the profile cannot be older than
    new: list[tuple[ConsentEvent, ConsentEventPerson]] = field(default_factory=list)

    def look_back(self, wanted: Sequence[Wanted]) -> None:
        """Read what decides: earlier uses of the keys, earlier answers, hand-offs that a clock ahead of ours timed."""
        keys = [one.consent.idempotency for one in wanted if one.consent.idempotency]
        earlier = ConsentEvent.objects.filter(idempotency__in=keys).select_related("person") if keys else []
        self.known = {event.idempotency: event for event in earlier if event.idempotency}
        states = ConsentState.objects.filter(profile_id__in=self.locked, purpose_id__in=self.purposes)
        for state in states.annotate(thread=F("event__thread")):
            self.states[state.profile_id, state.purpose_id].append(state)
            self.threads[state.profile_id, state.purpose_id] = state.thread
            self._not_before(state.profile_id, state.counts_from)
        ahead = HandOffPerson.objects.filter(profile_id__in=self.locked, hand_off__handed_off_at__gte=self.now)
        for profile, at in ahead.values_list("profile_id", "hand_off__handed_off_at"):
            self._not_before(profile, at + ONE_MOMENT)

    def _not_before(self, profile: int, at: datetime) -> None:
        self.last[profile] = max(at, self.last.get(profile, at))

    def take(self, index: int, one: Wanted) -> "ConsentEvent | ConsentRefused":
        """Return the event, ready to be written (or written before), or why it cannot be."""
        try:
            self._check(one)
            key = one.consent.idempotency
            event, part = self._made(one)
            if key is not None and key in self.known:
                return _repeated(self.known[key], event, one)
            self._check_history(one)
        except ConsentRefused as refused:
            refused.index = index
            return refused
        self.new.append((event, part))
        self.threads.setdefault((one.profile, event.purpose_id), event.pk)
        if key is not None:
            self.known[key] = event
        return event

    def _made(self, one: Wanted) -> tuple[ConsentEvent, ConsentEventPerson]:
        new = one.consent
        event = made(
            new,
            self.purposes[new.purpose],
            self.notices.get(new.notice),
            self.source,
            now=self.now,
            not_before=max(self.last.get(member, self.now) for member in self.people[one.profile]),
        )
        event.thread = self.threads.get((one.profile, new.purpose), event.pk)
        part = ConsentEventPerson(event=event, profile_id=one.profile, details=new.details() or None)
        event.commitment = part.commit()
        return event, part

    def _check(self, one: Wanted) -> None:
        check(one.consent, self.purposes, self.notices, self.now)
        check_source(one.consent, self.source)
        if one.profile not in self.locked:
            raise ConsentRefused("invalid", "profile", _("Nobody is known by this."))

    def _check_history(self, one: Wanted) -> None:
        purpose = one.consent.purpose
        before = [state for member in self.people[one.profile] for state in self.states.get((member, purpose), [])]
        channel = one.consent.channel or self.purposes[one.consent.purpose].channel
        about = [state for state in before if state.channel in ("", channel)]
        if one.consent.state == State.REQUESTED.value:
            peace = max((state.cooldown_until for state in about if state.cooldown_until), default=None)
            if peace is not None and peace > (one.consent.claimed_at or self.now):
                raise ConsentRefused(
                    "cooldown", "state", _("Must not be asked again before %(day)s.") % {"day": peace.date()}
                )
        if one.consent.state == State.RENEWED.value and all(state.state in QUESTIONS for state in about):
            raise ConsentRefused("invalid", "state", _("There is no consent to renew."))

    def write(self) -> None:
        """Write what was taken: events, leaves, states, and the switch that a refusal of profiling turns off."""
        if not self.new:
            return
        try:
            with transaction.atomic():
                evidence.append([event for event, _part in self.new], [part for _event, part in self.new])
        except IntegrityError as error:
            if "idempotency" not in str(error):
                raise
            raise ConsentRefused("conflict", "idempotency", _("The key was used for something else.")) from error
        keep((part.profile_id, event) for event, part in self.new)
        self._switch_off()

    def _switch_off(self) -> None:
        """Who refuses to be profiled is scored by nothing from now on: everything that scores looks at this switch."""
        off = {
            member
            for event, part in self.new
            for member in self.people[part.profile_id]
            if event.state in REFUSALS and self.purposes[event.purpose_id].kind == Purpose.Kind.PROFILING
        }
        if off:
            Profile.objects.filter(pk__in=off, personalisation=True).update(personalisation=False, updated_at=self.now)


def _repeated(earlier: ConsentEvent, again: ConsentEvent, one: Wanted) -> ConsentEvent:
    """Return the event that the same key wrote before, if it said the same of the same person."""
    owner = getattr(earlier, "person", None)
    told = one.consent.claimed_at is not None
    times = ("claimed_at",) if told else ()
    facts = ("state", "purpose_id", "channel", "consent_kind", "notice_id", "rendered_digest", "method", *times)
    same = all(getattr(earlier, name) == getattr(again, name) for name in facts)
    if not same or (owner is not None and owner.profile_id != one.profile):
        raise ConsentRefused("conflict", "idempotency", _("The key was used for something else."))
    return earlier
