"""An account that its provider refuses stands still, and people are called: by mail, until a server has taken it.

What is seen is the account's state, whoever wrote it there: a message that was refused, or a question. Nothing personal
stands in the mail.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.guarding import calling
from campaigns.keys import NAMESPACE
from campaigns.models import AccountTrouble, ChannelAccount
from campaigns.wechat.words import REASONS
from crm.locks import only_one
from crm.preference_links import admin_page
from crm.preferences.shown import LANGUAGES

AGAIN = timedelta(minutes=1)
GIVEN_UP = timedelta(days=1)
MOST = 50  # accounts of one mail
REFUSED = ChannelAccount.Status.REFUSED

logger = logging.getLogger(__name__)


def notice(now: datetime) -> int:
    """Write down which accounts are refused, and which work again; return how many are open."""
    AccountTrouble.objects.open().exclude(account__status=REFUSED).update(closed_at=now)
    known = AccountTrouble.objects.open().values("account")
    fresh = ChannelAccount.objects.filter(status=REFUSED).exclude(pk__in=known)
    AccountTrouble.objects.bulk_create(
        [AccountTrouble(account=one, reason=one.status_reason, raised_at=now, tell_from=now) for one in fresh],
        ignore_conflicts=True,
    )
    return AccountTrouble.objects.open().count()


def call(now: datetime) -> int:
    """Tell the people on call of the accounts that they have not been told of; return how many mails a server took.

    Raises
    ------
    crm.locks.Busy
        Another process is just calling them.
    """
    with only_one("calls about accounts"):
        notice(now)
        due = list(AccountTrouble.objects.to_be_told(now).select_related("account").order_by("raised_at", "pk")[:MOST])
        if not due:
            return 0
        people = list(calling.on_call())
        if not people:
            logger.warning("Accounts are refused, and nobody who may run campaigns has an e-mail address.")
        told = [calling.taken(mail(person, due)) for person in people]
        rows = AccountTrouble.objects.filter(pk__in=[one.pk for one in due])
        if told and all(told):
            rows.update(told_at=now)
        else:
            rows.update(tell_from=now + AGAIN)
            rows.filter(raised_at__lte=now - GIVEN_UP).update(tell_from=None)
    return sum(told)


def mail(person: User, due: Sequence[AccountTrouble]) -> EmailMessage:
    """Return the mail: the organisation's language first, the other after it."""
    tongues = sorted(LANGUAGES, key=lambda one: one != settings.LANGUAGE_CODE)
    parts = [_text(due, tongue) for tongue in tongues]
    # The same troubles make the same number: a mail that is sent again after a crash is known by it.
    number = uuid5(NAMESPACE, f"troubles {person.pk} " + ",".join(str(one.pk) for one in due))
    return EmailMessage(
        " / ".join(subject for subject, _body in parts),
        "\n\n".join(body for _subject, body in parts),
        to=[person.email],
        headers={
            "Message-ID": f"<{number}@troubles.invalid>",
            "Auto-Submitted": "auto-generated",
            "Importance": "high",
        },
    )


def _text(due: Sequence[AccountTrouble], tongue: str) -> tuple[str, str]:
    with translation.override(tongue):
        subject = ngettext("%(count)d account is refused", "%(count)d accounts are refused", len(due))
        return subject % {"count": len(due)}, "\n\n".join(_lines(due)).strip()


def _lines(due: Sequence[AccountTrouble]) -> Iterator[str]:
    for one in due:
        why = REASONS.get(one.reason) or one.reason
        line = _("%(account)s is refused by its provider: %(why)s. Nothing leaves through it.")
        said = line % {"account": one.account.name, "why": why}
        yield "\n".join(filter(None, [said, admin_page("campaigns_channelaccount_change", one.account_id)]))
