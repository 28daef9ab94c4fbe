"""Phone numbers by code: the consent into the ledger, the code marked as used, the paid question, and only then kept.

A refusal costs nothing: the platform is not asked. A code that comes again is not paid for again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction

from campaigns.channels.wechat import mini
from campaigns.channels.wechat.errors import SHANGHAI, Ambiguous, WeChatError
from campaigns.models import ChannelAccount, Follower, PhoneCode
from campaigns.runs.planning import source
from campaigns.wechat import joining
from crm import consent, identity
from crm.consent import NewConsent
from crm.encryption import possible_indexes
from crm.models import Identifier

PHONE = "phone"
LOST = timedelta(minutes=5)  # no call takes as long: whoever was at it was killed
PRICE, CURRENCY = Decimal("0.03"), "CNY"  # since 2023-08-28; an account's setting ``phone_cost`` says otherwise
Status = PhoneCode.Status


class CodeUsed(ValueError):
    """The code was used before, by somebody else or without success."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What came of it: whether the number is kept now, and whether it was paid for just now."""

    stored: bool
    charged: bool
    status: str = ""


def refuse(follower: Follower, told: NewConsent, now: datetime) -> Asked:
    """Record that the person does not want to tell it; nothing is asked, and nothing costs."""
    consent.record(follower.identifier.profile_id, told, source=source(), now=now)
    return Asked(stored=False, charged=False, status="refused")


def ask(follower: Follower, code: str, told: NewConsent, now: datetime) -> Asked:
    """Exchange a code for the person's number, which she has just agreed to.

    Raises
    ------
    crm.consent.ConsentRefused
        The consent cannot be recorded: nothing was asked, and the code is as good as before.
    CodeUsed
        Somebody used this code, or it led to nothing.
    WeChatError
        The platform refused; it is not paid for.
    """
    account = follower.account
    digest = sha256(code.encode()).hexdigest()
    if before := PhoneCode.objects.filter(account=account, digest=digest).first():
        return _again(before, follower)
    try:
        with transaction.atomic():
            event = consent.record(follower.identifier.profile_id, told, source=source(), now=now)
            row = PhoneCode.objects.create(
                account=account,
                digest=digest,
                identifier=follower.identifier,
                consent=event.pk,
                day=now.astimezone(SHANGHAI).date(),
                asked_at=now,
            )
    except IntegrityError as error:
        raise CodeUsed("The code is being used.") from error
    return _call(row, follower, code, now)


def _again(row: PhoneCode, follower: Follower) -> Asked:
    if row.identifier_id != follower.identifier_id or row.status != Status.CHARGED:
        raise CodeUsed("The code was used.")
    return Asked(stored=True, charged=False, status=row.status)


def _call(row: PhoneCode, follower: Follower, code: str, now: datetime) -> Asked:
    try:
        told = mini.business_getuserphonenumber(follower.account, code)
    except Ambiguous:
        _end(row, Status.UNKNOWN, "no_answer", now)
        raise
    except WeChatError as error:
        _end(row, Status.FAILED, str(error.code), now)
        raise
    cost = price(follower.account)
    with transaction.atomic():
        _end(row, Status.CHARGED, "", now, cost=cost, currency=CURRENCY)
        stored = _keep(follower, told.get("phone_info") or {}, now)
        if not stored:
            PhoneCode.objects.filter(pk=row.pk).update(reason="not_kept")
    return Asked(stored=stored, charged=True, status=Status.CHARGED)


def give_up(now: datetime) -> int:
    """Call unknown what a killed process was asking: perhaps it was paid for; return how many."""
    lost = PhoneCode.objects.filter(status=Status.CALLING, asked_at__lt=now - LOST)
    return lost.update(status=Status.UNKNOWN, reason="no_answer", answered_at=now)


def price(account: ChannelAccount) -> Decimal:
    """Return what one number costs: what the account's setting says, where that is a price."""
    try:
        told = Decimal(str(account.settings.get("phone_cost") or PRICE))
    except InvalidOperation:
        return PRICE
    return told if told.is_finite() and 0 <= told < 1000 else PRICE


def _end(row: PhoneCode, status: str, reason: str, now: datetime, **facts: Any) -> None:
    mine = PhoneCode.objects.filter(pk=row.pk, status=Status.CALLING)
    mine.update(status=status, reason=reason[:64], answered_at=now, **facts)


def _keep(follower: Follower, info: Any, now: datetime) -> bool:
    """Attach the number, which the platform has verified; who is known by it already is the same person.

    Unless both are known to a system of the house by different numbers: then that system would have to say so. And a
    number that was told for another mini program is nobody's.
    """
    watermark = str((info.get("watermark") or {}).get("appid") or "")
    number = str(info.get("purePhoneNumber") or "")
    code = str(info.get("countryCode") or "86")
    if not number or watermark != str(follower.account.settings.get("appid")):
        return False
    number = f"+{code}{number}"
    openid = ("openid", follower.identifier.value)
    (mine,) = identity.resolve([[openid, (PHONE, number)]], source=source(), now=now)
    row = Identifier.objects.filter(type=PHONE, digest__in=possible_indexes(PHONE, number)).first()
    if row is None:
        return False
    Identifier.objects.filter(pk=row.pk).update(verified=True)
    return joining.join(mine, row.profile_id, "WeChat told the same phone number", now)
