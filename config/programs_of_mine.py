"""Programs that act in a colleague's name: only she herself can let them, and can take it back at any time."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from config.models import ApiAccess
from crm.admin.again import ask_again
from crm.admin.lists import person_of


def mine(request: HttpRequest) -> HttpResponse:
    """Show the programs whose user this is, and what each may do in her name."""
    user = person_of(request)
    rows = list(ApiAccess.objects.filter(application__user=user).select_related("application").order_by("pk"))
    context: dict[str, Any] = admin.site.each_context(request) | {
        "title": gettext("Programs that act for me"),
        "programs": [(row, row.asks_of(user)) for row in rows],
    }
    return TemplateResponse(request, "zhiyin/application/mine.html", context)


@require_POST
def decide(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Agree, or take it back; of somebody else's program there is nothing to decide."""
    user = person_of(request)
    access = get_object_or_404(ApiAccess, pk=pk, application__user=user)
    if verb == "agree":
        ask_again(request)
    with transaction.atomic():
        if verb == "agree":
            access.agree(user)
            messages.success(request, gettext("It acts in your name from now on, until you take it back."))
        else:
            access.take_back(user)
            messages.success(request, gettext("It does nothing in your name any more."))
        told = f"May act for #{user.pk}: {verb}."
        LogEntry.objects.log_actions(user.pk, [access], CHANGE, change_message=told, single_object=True)
    return redirect("admin:oauth2_provider_application_mine")


def waiting(user: User) -> int:
    """Return how many programs wait for somebody's word."""
    rows = ApiAccess.objects.filter(application__user=user).select_related("application")
    return sum(row.asks_of(user) for row in rows)
