"""A consent as a caller tells it, checked against the law's rules and made into an event; or why it is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from crm.canonical import NotCanonical, canonical
from crm.coarse import open_text
from crm.consent_rules import CLOCKS_DIFFER, COOLING, GRANTS, Kind, Method, State
from crm.models import ConsentEvent, Notice, Purpose, Source
from crm.models.purposes import Channel
from crm.uuid7 import uuid7

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = timedelta(days=36_525)
LARGEST_PROOF = 8 * 1024
# PIPL 31: who it is, and how we know. A name or a contact: nobody is asked for more than proves it.
NEEDED_OF_GUARDIANS = ("relation", "evidence", "contact")
TEXTS = {
    "channel_account": 128,
    "language": 16,
    "form_version": 64,
    "jurisdiction": 16,
    "recipient": 200,
    "pia": 64,
    "import_batch": 64,
}
CHOICES: Mapping[str, frozenset[str]] = {
    "state": frozenset(State.values),
    "channel": frozenset(["", *Channel.values]),
    "consent_kind": frozenset(Kind.values),
    "method": frozenset(Method.values),
}


class ConsentRefused(ValueError):
    """A consent event that cannot be recorded: a code for programs, the field, the reason, and its place in a batch."""

    def __init__(self, code: str, field: str, reason: str, index: int = 0) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.code, self.field, self.reason, self.index = code, field, reason, index


@dataclass(frozen=True, kw_only=True)
class NewConsent:
    """What somebody said about one purpose.

    ``claimed_at`` is when, as the caller claims; nothing means now, as it happens. ``notice`` is the reference of what
    the person was told (``privacy/3``), ``rendered_digest`` the SHA-256 of what the screen really showed. ``proof``
    (the id of a double opt-in, an SMS reply, a recording), ``guardian``, ``ip`` and ``user_agent`` are personal: they
    are encrypted and can be erased. ``idempotency`` makes a repetition harmless.
    """

    purpose: str
    state: str = State.GIVEN.value
    method: str = Method.API.value
    channel: str = ""
    channel_account: str = ""
    consent_kind: str = Kind.GENERAL.value
    notice: str = ""
    notice_digest: str = ""
    rendered_digest: str = ""
    language: str = ""
    form_version: str = ""
    jurisdiction: str = ""
    recipient: str = ""
    pia: str = ""
    adm_optout: bool = False
    import_batch: str = ""
    claimed_at: datetime | None = None
    valid_until: datetime | None = None
    idempotency: UUID | None = None
    proof: Mapping[str, Any] = field(default_factory=dict)
    guardian: Mapping[str, Any] = field(default_factory=dict)
    ip: str = ""
    user_agent: str = ""

    def details(self) -> dict[str, Any]:
        """Return what is personal of it, beside whose it is."""
        told = {
            "proof": dict(self.proof),
            "guardian": dict(self.guardian),
            "ip": self.ip,
            "user_agent": self.user_agent,
        }
        return {name: value for name, value in told.items() if value}


def check(new: NewConsent, purposes: Mapping[str, Purpose], notices: Mapping[str, Notice], now: datetime) -> None:
    """Raise :class:`ConsentRefused` where the event is not well formed or not lawful, whoever it is about."""
    for name, allowed in CHOICES.items():
        if getattr(new, name) not in allowed:
            raise ConsentRefused(
                "invalid", name, _("%(value)s is not known.") % {"value": repr(getattr(new, name))[:60]}
            )
    purpose = purposes.get(new.purpose)
    if purpose is None:
        raise ConsentRefused("invalid", "purpose", _("There is no such purpose."))
    if purpose.channel and new.channel not in ("", purpose.channel):
        raise ConsentRefused("invalid", "channel", _("The purpose is for another channel."))
    _check_texts(new)
    _check_times(new, now)
    if new.notice:
        _check_notice(new, notices.get(new.notice), now)
    if new.state in GRANTS:
        _check_grant(new, purpose)


def check_source(new: NewConsent, source: Source | None) -> None:
    """Refuse what nobody can vouch for: a key that stands in a page's source may take consent back, never give it."""
    if source is not None and source.kind == Source.Kind.BROWSER and new.state not in COOLING:
        raise ConsentRefused("untrusted", "source", _("A source whose key is public may only refuse or withdraw."))


def check_together(news: list[NewConsent], purposes: Mapping[str, Purpose]) -> None:
    """Refuse an "agree to all" that holds anything which the law wants asked by itself (Net-Data Regulation 62(7))."""
    for index, new in enumerate(news):
        purpose = purposes.get(new.purpose)
        bundled = new.consent_kind != Kind.GENERAL.value or (purpose is not None and purpose.separate)
        if new.state in GRANTS and bundled:
            raise ConsentRefused(
                "separate", "consent_kind", _("Separate consent is asked for by itself, never with others."), index
            )


def _check_texts(new: NewConsent) -> None:
    for name, most in TEXTS.items():
        if len(getattr(new, name)) > most:
            raise ConsentRefused("invalid", name, _("Longer than %(most)s characters.") % {"most": most})
        if "\x00" in getattr(new, name):
            raise ConsentRefused("invalid", name, _("Has a NUL character."))
    if new.rendered_digest and not re.fullmatch("[0-9a-f]{64}", new.rendered_digest):
        raise ConsentRefused("invalid", "rendered_digest", _("Not a SHA-256 in small hexadecimal digits."))
    try:
        size = len(canonical(new.details()))
    except (NotCanonical, RecursionError, UnicodeError) as error:
        raise ConsentRefused("invalid", "proof", str(error)[:300]) from None
    if size > LARGEST_PROOF or "\\u0000" in repr(new.details()) or "\\x00" in repr(new.details()):
        raise ConsentRefused("invalid", "proof", _("Larger than 8 kB, or with a NUL character."))


def _check_times(new: NewConsent, now: datetime) -> None:
    for name in ("claimed_at", "valid_until"):
        at = getattr(new, name)
        if at is not None and at.tzinfo is None:
            raise ConsentRefused("invalid", name, _("Has no time zone."))
    claimed_at = new.claimed_at or now
    if claimed_at < EARLIEST:
        raise ConsentRefused("invalid", "claimed_at", _("Is before %(year)s.") % {"year": EARLIEST.year})
    if claimed_at > now + CLOCKS_DIFFER:
        raise ConsentRefused("future", "claimed_at", _("Lies in the future."))
    if new.valid_until is not None and not claimed_at < new.valid_until <= now + LONGEST:
        raise ConsentRefused("invalid", "valid_until", _("Is not after the time of the consent, or too far away."))


def _check_notice(new: NewConsent, notice: Notice | None, now: datetime) -> None:
    if notice is None or notice.published_at is None:
        raise ConsentRefused("invalid", "notice", _("There is no such published notice."))
    if new.notice_digest and new.notice_digest != notice.digest:
        raise ConsentRefused("forged", "notice_digest", _("Not the digest of that notice."))
    if notice.published_at > (new.claimed_at or now) + CLOCKS_DIFFER:
        raise ConsentRefused("invalid", "notice", _("Was not published yet at that time."))
    if new.purpose not in notice.purposes:
        raise ConsentRefused("invalid", "notice", _("Does not tell of this purpose."))


def _check_grant(new: NewConsent, purpose: Purpose) -> None:
    if not purpose.is_active:
        raise ConsentRefused("purpose_inactive", "purpose", _("The purpose is not active."))
    if purpose.separate and new.consent_kind == Kind.GENERAL.value:
        raise ConsentRefused("separate", "consent_kind", _("This purpose needs separate consent."))
    if purpose.separate and not new.notice:
        raise ConsentRefused("invalid", "notice", _("Separate consent names what the person was told."))
    if new.consent_kind == Kind.GUARDIAN.value:
        told = {"contact": new.guardian.get("name"), **{k: v for k, v in new.guardian.items() if v}}
        missing = [name for name in NEEDED_OF_GUARDIANS if not told.get(name)]
        if missing:
            raise ConsentRefused(
                "guardian", "guardian", _("A guardian's consent needs: %(missing)s.") % {"missing": ", ".join(missing)}
            )


def made(
    new: NewConsent,
    purpose: Purpose,
    notice: Notice | None,
    source: Source | None,
    *,
    now: datetime,
    not_before: datetime,
) -> ConsentEvent:
    """Return the event, complete but for its commitment.

    ``not_before`` is when the last thing happened that it may have to end (an earlier answer, a hand-off): what is said
    as it happens cannot be older than that, however slow this server's clock is.
    """
    new = replace(new, channel=new.channel or purpose.channel, recipient=new.recipient or purpose.recipient)
    received_at = max(now, not_before) if new.state not in GRANTS else now
    claimed_at = min(new.claimed_at, now) if new.claimed_at else received_at
    return ConsentEvent(
        pk=uuid7(now),
        state=new.state,
        purpose_id=purpose.code,
        channel=new.channel,
        consent_kind=new.consent_kind,
        legal_basis=purpose.basis,
        notice_id=new.notice or None,
        notice_digest=notice.digest if notice else "",
        rendered_digest=new.rendered_digest,
        method=new.method,
        adm_optout=new.adm_optout,
        source=source,
        idempotency=new.idempotency,
        claimed_at=claimed_at,
        received_at=received_at,
        recorded_at=now,
        valid_until=_valid_until(new, purpose, claimed_at),
        cooldown_until=claimed_at + purpose.ask_again_after if new.state in COOLING else None,
        **_lasting(new),
    )


def _lasting(new: NewConsent) -> dict[str, str]:
    """Return the texts that stand in the ledger for good: masked where a caller put what an erasure must reach.

    The sender's own mailbox is the account of a mail channel, and nobody's.
    """
    kept = {"channel_account"} if new.channel == Channel.EMAIL else set()
    return {name: getattr(new, name) if name in kept else open_text(getattr(new, name)) for name in TEXTS}


def _valid_until(new: NewConsent, purpose: Purpose, claimed_at: datetime) -> datetime | None:
    """Return when a grant ends: no later than the purpose allows."""
    if new.state not in GRANTS:
        return None
    ends = [claimed_at + purpose.valid_for] if purpose.valid_for else []
    return min([*ends, new.valid_until] if new.valid_until else ends, default=None)
