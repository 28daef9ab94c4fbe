"""What waits for this person: the first thing that a start page should say, each line with where to go.

One cheap count a line, of what only who may act on it is told; a line with nothing waiting is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns.models import Alarm, SendingPolicy, WebhookEndpoint
from config import programs_of_mine
from crm.models import Approval, ImpactAssessment, JobRun, Notice, PrivacyRequest, RejectedEvent
from mlengine import monitoring

SOON = timedelta(days=3)
LATELY = timedelta(days=7)
ENDING = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something to do: how many of it, in words, how pressing, and where."""

    count: int
    text: str
    icon: str
    link: str
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Who looks for what: the permission, how it is counted, and what is said of so many."""

    permission: str
    count: Callable[[Any, datetime], int]
    say: Callable[[int], str]
    icon: str
    page: str
    query: str = ""
    tone: str = ""

    def step(self, user: Any, now: datetime) -> Step | None:
        if (self.permission and not user.has_perm(self.permission)) or not (count := self.count(user, now)):
            return None
        link = reverse(f"admin:{self.page}") + self.query
        return Step(count=count, text=self.say(count), icon=self.icon, link=link, tone=self.tone)


def steps(user: Any, now: datetime) -> list[Step]:
    """Return what waits for somebody, the most pressing first."""
    return [step for look in LOOKS if (step := look.step(user, now)) is not None]


def actions(user: Any) -> list[Step]:
    """Return what somebody may begin from here, as buttons."""
    return [
        Step(count=0, text=str(text), icon=icon, link=reverse(f"admin:{page}"))
        for permission, text, icon, page in ACTIONS
        if user.has_perm(permission)
    ]


def _late(_user: Any, now: datetime) -> int:
    return PrivacyRequest.objects.running().filter(due_on__lt=timezone.localdate(now)).count()


def _due(_user: Any, now: datetime) -> int:
    today = timezone.localdate(now)
    return PrivacyRequest.objects.running().filter(due_on__range=(today, today + SOON)).count()


def _to_check(user: Any, _now: datetime) -> int:
    waiting = PrivacyRequest.objects.filter(status=PrivacyRequest.Status.CHECKING)
    return waiting.exclude(handled_by=user).count()


def _to_decide(user: Any, now: datetime) -> int:
    return Approval.objects.open(now).exclude(requested_by=user).count()


def _drafts(user: Any, _now: datetime) -> int:
    return ImpactAssessment.objects.filter(approved_at=None, withdrawn_at=None).exclude(prepared_by=user).count()


def _unassessed(_user: Any, now: datetime) -> int:
    """Return how many assessments end soon without a newer one for the same subject."""
    later = ImpactAssessment.objects.valid(now).filter(
        subject=OuterRef("subject"), valid_until__gt=OuterRef("valid_until")
    )
    ending = ImpactAssessment.objects.valid(now).filter(valid_until__lt=now + ENDING)
    return ending.exclude(Exists(later)).count()


def _unpublished(_user: Any, _now: datetime) -> int:
    return Notice.objects.filter(published_at=None).count()


def _concerns(_user: Any, now: datetime) -> int:
    return sum(not one.is_well for one in monitoring.health(now))


def _rejected(_user: Any, _now: datetime) -> int:
    return RejectedEvent.objects.filter(replayed_at=None).count()


def _failed(_user: Any, now: datetime) -> int:
    return JobRun.objects.filter(status=JobRun.Status.FAILED, finished_at__gt=now - LATELY).count()


def _locked(_user: Any, now: datetime) -> int:
    return int(
        AccessAttempt.objects.filter(
            failures_since_start__gte=settings.AXES_FAILURE_LIMIT, attempt_time__gt=now - settings.AXES_COOLOFF_TIME
        ).count()
    )


def _one_factor(_user: Any, _now: datetime) -> int:
    staff = User.objects.filter(is_staff=True, is_active=True)
    shown = Authenticator.objects.filter(user=OuterRef("pk"), type__in=["totp", "webauthn"])
    return staff.exclude(Exists(shown)).count()


def _stopped(_user: Any, _now: datetime) -> int:
    """Return how many webhook endpoints stopped by themselves, and nobody has switched on or off since."""
    return WebhookEndpoint.objects.filter(active=False, stopped_for__in=["failing", "gone"]).count()


def _everything_stopped(_user: Any, _now: datetime) -> int:
    return SendingPolicy.objects.exclude(stopped_at=None).count()


def _alarms(_user: Any, _now: datetime) -> int:
    return Alarm.objects.open().unseen().values("campaign").distinct().count()


ACTIONS = (
    ("crm.add_privacyrequest", _("Take in a request"), "shield_person", "crm_privacyrequest_add"),
    ("crm.export_audit_bundle", _("Export an audit bundle"), "inventory", "crm_audit_order"),
    ("crm.add_event", _("Import a file"), "upload_file", "crm_import"),
    ("crm.add_release", _("Ask for a figure"), "blur_on", "crm_release_changelist"),
    ("mlengine.add_modelversion", _("Train a model"), "model_training", "mlengine_modelversion_changelist"),
    ("auth.add_user", _("Add a colleague"), "person_add", "auth_user_add"),
    ("crm.add_source", _("Add a source"), "sensors", "crm_source_add"),
)

LOOKS: Sequence[Look] = (
    Look(
        permission="campaigns.view_sendingpolicy",
        count=_everything_stopped,
        say=lambda _n: gettext("Everything is stopped: no message leaves"),
        icon="emergency_home",
        page="campaigns_campaign_changelist",
        tone="bad",
    ),
    Look(
        permission="campaigns.change_alarm",
        count=_alarms,
        say=lambda n: ngettext("%(n)s campaign paused itself", "%(n)s campaigns paused themselves", n) % {"n": n},
        icon="notifications_active",
        page="campaigns_alarm_changelist",
        tone="bad",
    ),
    Look(
        permission="",  # one's own
        count=lambda user, _now: programs_of_mine.waiting(user),
        say=lambda n: (
            ngettext("%(n)s program asks to act in your name", "%(n)s programs ask to act in your name", n) % {"n": n}
        ),
        icon="key",
        page="oauth2_provider_application_mine",
        tone="warn",
    ),
    Look(
        permission="campaigns.change_webhookendpoint",
        count=_stopped,
        say=lambda n: (
            ngettext(
                "%(n)s webhook endpoint was stopped: it does not answer",
                "%(n)s webhook endpoints were stopped: they do not answer",
                n,
            )
            % {"n": n}
        ),
        icon="webhook",
        page="campaigns_webhookendpoint_changelist",
        tone="bad",
    ),
    Look(
        permission="crm.handle_privacyrequest",
        count=_late,
        say=lambda n: ngettext("%(n)s request of a person is late", "%(n)s requests of people are late", n) % {"n": n},
        icon="alarm",
        page="crm_privacyrequest_changelist",
        tone="bad",
    ),
    Look(
        permission="crm.handle_privacyrequest",
        count=_due,
        say=lambda n: (
            ngettext("%(n)s request is due within 3 days", "%(n)s requests are due within 3 days", n) % {"n": n}
        ),
        icon="schedule",
        page="crm_privacyrequest_changelist",
        tone="warn",
    ),
    Look(
        permission="crm.check_privacyrequest",
        count=_to_check,
        say=lambda n: (
            ngettext("%(n)s request waits for a second person", "%(n)s requests wait for a second person", n) % {"n": n}
        ),
        icon="how_to_reg",
        page="crm_privacyrequest_changelist",
        query="?status__exact=checking",
        tone="warn",
    ),
    Look(
        permission="crm.decide_approval",
        count=_to_decide,
        say=lambda n: ngettext("%(n)s colleague asks for your approval", "%(n)s approvals wait for you", n) % {"n": n},
        icon="approval_delegation",
        page="crm_approval_changelist",
        query="?decision__exact=waiting",
        tone="warn",
    ),
    Look(
        permission="crm.approve_impactassessment",
        count=_drafts,
        say=lambda n: (
            ngettext(
                "%(n)s impact assessment waits for its approval", "%(n)s impact assessments wait for their approval", n
            )
            % {"n": n}
        ),
        icon="balance",
        page="crm_impactassessment_changelist",
    ),
    Look(
        permission="crm.change_impactassessment",
        count=_unassessed,
        say=lambda n: (
            ngettext("%(n)s impact assessment ends within 30 days", "%(n)s impact assessments end within 30 days", n)
            % {"n": n}
        ),
        icon="event_upcoming",
        page="crm_impactassessment_changelist",
        tone="warn",
    ),
    Look(
        permission="crm.change_notice",
        count=_unpublished,
        say=lambda n: (
            ngettext("%(n)s notice is not published yet", "%(n)s notices are not published yet", n) % {"n": n}
        ),
        icon="menu_book",
        page="crm_notice_changelist",
    ),
    Look(
        permission="mlengine.change_modelversion",
        count=_concerns,
        say=lambda n: ngettext("%(n)s model needs a look", "%(n)s models need a look", n) % {"n": n},
        icon="model_training",
        page="mlengine_modelversion_changelist",
        tone="warn",
    ),
    Look(
        permission="crm.change_rejectedevent",
        count=_rejected,
        say=lambda n: ngettext("%(n)s event could not be taken", "%(n)s events could not be taken", n) % {"n": n},
        icon="report",
        page="crm_rejectedevent_changelist",
        query="?replayed_at__isempty=1",
    ),
    Look(
        permission="crm.change_jobrun",
        count=_failed,
        say=lambda n: ngettext("%(n)s job failed this week", "%(n)s jobs failed this week", n) % {"n": n},
        icon="error",
        page="crm_jobrun_changelist",
        query="?status__exact=failed",
        tone="bad",
    ),
    Look(
        permission="axes.delete_accessattempt",
        count=_locked,
        say=lambda n: ngettext("%(n)s account is locked out", "%(n)s accounts are locked out", n) % {"n": n},
        icon="lock_person",
        page="axes_accessattempt_changelist",
        tone="warn",
    ),
    Look(
        permission="auth.change_user",
        count=_one_factor,
        say=lambda n: (
            ngettext("%(n)s colleague has no second factor yet", "%(n)s colleagues have no second factor yet", n)
            % {"n": n}
        ),
        icon="phonelink_lock",
        page="auth_user_changelist",
    ),
)
