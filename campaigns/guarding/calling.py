"""People are called when a campaign paused itself: a mail in both languages, sent again each minute until it is taken.

Nothing personal stands in it. In the admin the same waits on the dashboard, on the list of campaigns and on the page.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.guarding import alarm_words
from campaigns.keys import NAMESPACE
from campaigns.models import Alarm
from campaigns.reach import policies
from crm.locks import only_one
from crm.preference_links import admin_page
from crm.preferences.shown import LANGUAGES

RUNS = "campaigns.run_campaign"
AGAIN = timedelta(minutes=1)
GIVEN_UP = timedelta(days=1)  # by then somebody has looked into the admin, or the mail server is not the trouble
MOST = 50  # alarms of one mail

logger = logging.getLogger(__name__)


def call(now: datetime) -> int:
    """Tell the people on call of the alarms that they have not been told of; return how many mails a server took.

    Raises
    ------
    crm.locks.Busy
        Another process is just calling them.
    """
    with only_one("calls about campaigns"):
        due = list(Alarm.objects.to_be_told(now).select_related("campaign").order_by("raised_at", "pk")[:MOST])
        if not due:
            return 0
        people = list(on_call())
        if not people:
            logger.warning("Campaigns paused themselves, and nobody who may run campaigns has an e-mail address.")
        told = [taken(mail(person, due)) for person in people]
        _write_down(due, all(told) and bool(people), now)
    return sum(told)


def on_call() -> QuerySet[User]:
    """Return those whom the policy names; where it names nobody, all who may run campaigns, then administrators."""
    reachable = User.objects.filter(is_active=True, is_staff=True).exclude(email="").order_by("pk")
    named = reachable.filter(pk__in=policies.policy().on_call.values("pk"))
    if named.exists():
        return named
    found = reachable.filter(pk__in=_with(RUNS, superusers=False))
    return found if found.exists() else reachable.filter(is_superuser=True)


def callable_people() -> QuerySet[User]:
    """Return who may be named: colleagues with an address who may at least look at an alarm."""
    reachable = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    return reachable.filter(pk__in=_with("campaigns.view_alarm", superusers=True)).order_by("username")


def _with(permission: str, *, superusers: bool) -> QuerySet[User]:
    backend = "django.contrib.auth.backends.ModelBackend"
    return User.objects.with_perm(permission, include_superusers=superusers, backend=backend).order_by()


def _write_down(due: Sequence[Alarm], everybody: bool, now: datetime) -> None:
    rows = Alarm.objects.filter(pk__in=[one.pk for one in due])
    if everybody:
        rows.update(told_at=now)
        return
    rows.update(tell_from=now + AGAIN)
    rows.filter(raised_at__lte=now - GIVEN_UP).update(tell_from=None)


def taken(message: EmailMessage) -> bool:
    """Give a mail to the server; tell whether it took it."""
    try:
        return bool(message.send())
    except (OSError, ValueError) as error:  # SMTP's errors are OSErrors; a mailbox that is none is a ValueError
        logger.warning("Somebody on call was not mailed: %s", type(error).__name__)
        return False


def mail(person: User, due: Sequence[Alarm]) -> EmailMessage:
    """Return the mail: the organisation's language first, the other after it."""
    tongues = sorted(LANGUAGES, key=lambda one: one != settings.LANGUAGE_CODE)
    parts = [_text(due, tongue) for tongue in tongues]
    # The same alarms make the same number: a mail that is sent again after a crash is known by it.
    number = uuid5(NAMESPACE, f"alarms {person.pk} " + ",".join(str(one.pk) for one in due))
    return EmailMessage(
        " / ".join(subject for subject, _body in parts),
        "\n\n".join(body for _subject, body in parts),
        to=[person.email],
        headers={"Message-ID": f"<{number}@alarms.invalid>", "Auto-Submitted": "auto-generated", "Importance": "high"},
    )


def _text(due: Sequence[Alarm], tongue: str) -> tuple[str, str]:
    with translation.override(tongue):
        subject = ngettext("%(count)d campaign alarm needs you", "%(count)d campaign alarms need you", len(due))
        return subject % {"count": len(due)}, "\n\n".join([*_lines(due), admin_page("campaigns_runbook")]).strip()


def _lines(due: Sequence[Alarm]) -> Iterator[str]:
    for one in due:
        paused, ended = _("It paused itself; nothing leaves until a person lets it."), _("It had ended already.")
        link = admin_page("campaigns_alarm_change", one.pk)
        line = f"{one.campaign}: {alarm_words.said(one)} {paused if one.paused else ended}"
        yield "\n".join(filter(None, [line, link]))
