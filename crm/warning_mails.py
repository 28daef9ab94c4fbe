"""Warnings of requests by mail, to each compliance officer once of each stage; nothing personal stands in them.

What is due are rows (:class:`crm.models.RequestWarning`): noticing twice adds none, and a mail that a server did not
take is sent later, after longer and longer pauses. All that one officer has to be told is one mail, in both languages.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from uuid import uuid5

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.utils import formats, translation
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm import clocks
from crm.clocks import Clock
from crm.keys import NAMESPACE
from crm.locks import only_one
from crm.models import PrivacyRequest, RequestWarning
from crm.preference_links import admin_page
from crm.preferences.shown import LANGUAGES

Stage = RequestWarning.Stage
HANDLE = "crm.handle_privacyrequest"
LONGEST_PAUSE = timedelta(days=14)  # that a request waits for its person before somebody should write again, or refuse
BY_LEVEL = {50: Stage.HALF, 80: Stage.SOON, 100: Stage.LAST_DAY}
FIRST_RETRY, LAST_RETRY = timedelta(minutes=5), timedelta(hours=6)
MOST = 200  # lines of one mail; the rest follows with the next

logger = logging.getLogger(__name__)


def stage_of(request: PrivacyRequest, clock: Clock, now: datetime) -> str:
    """Return the stage a request has reached, or nothing; one that waits for its person has no other."""
    if request.paused_at is not None:
        return Stage.WAITING.value if now - request.paused_at >= LONGEST_PAUSE else ""
    if clock.late:
        return Stage.LATE.value
    return BY_LEVEL[clock.alert].value if clock.alert else ""


def notice(now: datetime) -> int:
    """Write down which officer is to be told of what; return how many warnings are new."""
    officers = list(officers_with_mail())
    requests = PrivacyRequest.objects.open().filter(duplicate_of=None).prefetch_related("pauses").order_by("pk")
    due = [(one, stage) for one in requests if (stage := stage_of(one, clocks.clock(one, now), now))]
    if due and not officers:
        logger.warning("Privacy requests come due, and no officer with an e-mail address may handle them.")
    rows = [
        RequestWarning(request=one, user=officer, stage=stage, noticed_at=now, not_before=now)
        for one, stage in due
        for officer in officers
    ]
    before = RequestWarning.objects.count()
    RequestWarning.objects.bulk_create(rows, ignore_conflicts=True)
    return RequestWarning.objects.count() - before


def officers_with_mail() -> QuerySet[User]:
    """Return who handles requests and can be written to; where nobody has that permission, the administrators."""
    reachable = User.objects.filter(is_active=True).exclude(email="").order_by("pk")
    backend = "django.contrib.auth.backends.ModelBackend"
    officers = User.objects.with_perm(HANDLE, include_superusers=False, backend=backend)
    found = reachable.filter(pk__in=officers)
    return found if found.exists() else reachable.filter(is_superuser=True)


def send(now: datetime) -> int:
    """Mail what was not mailed yet; return how many mails a server took.

    Raises
    ------
    Busy
        Another process is just sending.
    """
    with only_one("warnings of privacy requests"):
        due = RequestWarning.objects.filter(sent_at=None, not_before__lte=now, user__is_active=True)
        open_ = due.filter(request__in=PrivacyRequest.objects.open()).exclude(user__email="")
        rows = open_.select_related("request", "user").prefetch_related("request__pauses").order_by("user_id", "pk")
        return sum(_tell(user, list(own)[:MOST], now) for user, own in groupby(rows, key=lambda row: row.user))


def _tell(officer: User, warnings: list[RequestWarning], now: datetime) -> bool:
    rows = RequestWarning.objects.filter(pk__in=[one.pk for one in warnings])
    try:
        mail(officer, warnings, now).send()
    except (OSError, ValueError) as error:  # SMTP's errors are OSErrors; a mailbox that is none is a ValueError
        pause = min(FIRST_RETRY * 2 ** min(max(one.attempts for one in warnings), 12), LAST_RETRY)
        rows.update(attempts=F("attempts") + 1, error=type(error).__name__, not_before=now + pause)
        logger.warning("Warnings of privacy requests were not mailed: %s", type(error).__name__)
        return False
    rows.update(sent_at=now, error="")
    return True


def mail(officer: User, warnings: list[RequestWarning], now: datetime) -> EmailMessage:
    """Return the mail: the organisation's language first, the other after it."""
    tongues = sorted(LANGUAGES, key=lambda one: one != settings.LANGUAGE_CODE)
    parts = [_text(warnings, now, tongue) for tongue in tongues]
    # The same warnings make the same number: a mail that is sent again after a crash is known by it.
    number = uuid5(NAMESPACE, "warnings " + ",".join(str(one.pk) for one in warnings))
    return EmailMessage(
        " / ".join(subject for subject, _body in parts),
        "\n\n".join(body for _subject, body in parts),
        to=[officer.email],
        headers={"Message-ID": f"<{number}@requests.invalid>", "Auto-Submitted": "auto-generated"},
    )


def _text(warnings: list[RequestWarning], now: datetime, tongue: str) -> tuple[str, str]:
    with translation.override(tongue):
        subject = ngettext("%(count)d privacy request needs you", "%(count)d privacy requests need you", len(warnings))
        head = _("These requests of people about their data need you. Who they are is in the admin only.")
        return subject % {"count": len(warnings)}, "\n\n".join([head, *_lines(warnings, now)])


def _lines(warnings: Iterable[RequestWarning], now: datetime) -> Iterable[str]:
    for one in warnings:
        clock = clocks.clock(one.request, now)
        facts = {
            "kind": capfirst(one.request.get_kind_display()),
            "reference": str(one.request.reference)[:8],
            "stage": one.get_stage_display(),
            "day": formats.date_format(clock.due_on),
        }
        line = _("%(kind)s %(reference)s: %(stage)s; the answer is due on %(day)s.") % facts
        page = admin_page("crm_privacyrequest_change", one.request.pk)
        yield "\n  ".join(filter(None, [f"- {line}", page]))
