"""What the pages of WeCom and of mini programs share: the accounts to choose from, and a word for each refusal."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from campaigns.channels.wechat.errors import Ambiguous, WeChatError
from campaigns.models import ChannelAccount
from campaigns.wechat.words import said
from crm.admin.restricted import MAY


def accounts(provider: str) -> QuerySet[ChannelAccount]:
    """Return the accounts of a platform, those that work first."""
    return ChannelAccount.objects.filter(provider=provider).order_by("status", "-preferred", "name")


def without_restricted(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out rows of people whose data may only be stored, but for who works on their requests."""
    return rows if request.user.has_perm(MAY) else rows.filter(identifier__profile__restricted_at=None)


def account_field(provider: str) -> Any:
    """Return a field that offers the accounts of a platform."""
    return forms.ModelChoiceField(
        accounts(provider), label=gettext_lazy("Account"), widget=UnfoldAdminSelectWidget, empty_label=None
    )


def need(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def tried(request: HttpRequest, verb: Callable[[], object], done: str, *refusals: type[Exception]) -> bool:
    """Do something at the platform, and say what came of it; False where it refused."""
    try:
        verb()
    except Ambiguous:
        messages.warning(request, _("The platform did not answer: whether it was done is unknown."))
        return False
    except WeChatError as error:
        messages.error(request, _("This was refused: %(why)s.") % {"why": said(error)})
        return False
    except refusals as error:
        messages.error(request, str(error))
        return False
    messages.success(request, done)
    return True
