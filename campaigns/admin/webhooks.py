"""Webhook endpoints: which other systems are told what, a test, the secret shown once, the log, and telling again."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminURLInputWidget

from campaigns.models import WebhookEndpoint, WebhookMessage
from campaigns.outgoing import KINDS, endpoints
from campaigns.outgoing.endpoints import BadAddress
from crm.admin.again import AsksAgain, ask_again
from crm.admin.lists import ListAdmin, ReadOnlyAdmin, column

LABELS = {"active": "success", "resting": "warning", "stopped": "danger"}
STATES = {"active": _("active"), "resting": _("does not answer"), "stopped": pgettext_lazy("webhook", "stopped")}
MESSAGE_LABELS = {"told": "success", "waiting": "info", "given_up": "danger"}
MESSAGE_STATES = {"told": pgettext_lazy("webhook", "told"), "waiting": _("waiting"), "given_up": _("given up")}
SHOWN, LATELY = 20, timedelta(days=7)


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name, address and the kinds of facts that are told."""

    url = forms.URLField(label=_("Address"), max_length=500, assume_scheme="https", widget=UnfoldAdminURLInputWidget)
    kinds = forms.MultipleChoiceField(
        label=_("Kinds of events"),
        choices=[(kind, format_lazy("{} ({})", words, kind)) for kind, words in KINDS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("name", "url", "kinds")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            endpoints.check(url)
        except BadAddress as error:
            raise forms.ValidationError(gettext("This server may not call it (%(why)s).") % {"why": error}) from error
        return url


def _on(one: WebhookEndpoint, now: datetime) -> str:
    endpoints.switch_on(one, now)
    return gettext("It is told again, beginning with what was kept.")


def _off(one: WebhookEndpoint, _now: datetime) -> str:
    endpoints.switch_off(one)
    return gettext("It is told nothing any more.")


def _replay(one: WebhookEndpoint, now: datetime) -> str:
    count = endpoints.replay_since(one, now - LATELY, now)
    said = ngettext("%(count)d message is told again.", "%(count)d messages are told again.", count)
    return said % {"count": count}


VERBS: Mapping[str, Callable[[WebhookEndpoint, datetime], str]] = {"on": _on, "off": _off, "replay": _replay}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AsksAgain, ListAdmin):
    """Endpoints; a secret is shown when it is made, and never again."""

    form = EndpointForm
    fieldsets = ((None, {"fields": ("name", "url", "kinds")}),)
    change_form_template = "zhiyin/webhook/change_form.html"
    list_display = ("name", "url", "state", "waiting", "given_up", "created_at")
    search_fields = ("name", "url")
    ordering = ("name",)
    nothing_yet = _("Another system that wants to know what happens is added here: a shop, a till, a data warehouse.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/rotate/", view(self.rotate_view), name="campaigns_webhookendpoint_rotate"),
            path("<int:pk>/ping/", view(self.ping_view), name="campaigns_webhookendpoint_ping"),
            re_path(
                rf"^(?P<pk>\d+)/(?P<verb>{'|'.join(VERBS)})/$",
                view(self.control_view),
                name="campaigns_webhookendpoint_do",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        counts = WebhookMessage.objects.filter(endpoint=OuterRef("pk")).order_by().values("endpoint")
        left = {
            "of_waiting": Count("pk", filter=Q(next_at__isnull=False)),
            "of_given_up": Count("pk", filter=Q(next_at=None, delivered_at=None)),
        }
        rows: QuerySet[WebhookEndpoint] = super().get_queryset(request)
        return rows.annotate(
            **{name: Subquery(counts.annotate(n=count).values("n")[:1]) for name, count in left.items()}
        )

    @column(_("status"), ordering="active", label=LABELS)
    def state(self, one: WebhookEndpoint) -> tuple[str, Any]:
        found = state_of(one)
        return found, STATES[found]

    @column(_("waiting"))
    def waiting(self, one: Any) -> int:
        return int(one.of_waiting or 0)

    @column(_("given up"))
    def given_up(self, one: Any) -> int:
        return int(one.of_given_up or 0)

    def has_delete_permission(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> bool:
        return False  # its log says who was told what: one that is gone is switched off

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            endpoints.change(obj, {name: form.cleaned_data[name] for name in form.Meta.fields})
            return
        told = {name: form.cleaned_data[name] for name in form.Meta.fields}
        made, request.secret = endpoints.create(**told, now=timezone.now())  # type: ignore[attr-defined]
        obj.pk, obj._state.adding = made.pk, False

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: Any = None) -> HttpResponse:
        """Show the new endpoint's secret: the only moment it can be seen."""
        return self._secret(request, obj, request.secret, replaced=False)  # type: ignore[attr-defined]

    def facts_of(self, request: HttpRequest, one: Any) -> Mapping[str, Any]:
        return _facts(one)

    @method_decorator(require_POST)
    def rotate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a new secret and show it; for a day the old one signs too."""
        one = self._allowed(request, pk)
        secret = endpoints.rotate(one, timezone.now())
        self.log_change(request, one, "A new secret was made.")
        return self._secret(request, one, secret, replaced=True)

    @method_decorator(require_POST)
    def ping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a message that means nothing, and say what came of it."""
        one = self._allowed(request, pk)
        answer = endpoints.ping(one, timezone.now())
        self.log_change(request, one, "Tested.")
        told = {"status": answer.status or answer.error, "took": round(1000 * answer.took)}
        if answer.good:
            messages.success(request, gettext("It answered %(status)s after %(took)s ms.") % told)
        else:
            messages.error(request, gettext("It did not take the message: %(status)s after %(took)s ms.") % told)
        return redirect("admin:campaigns_webhookendpoint_change", pk)

    @method_decorator(require_POST)
    def control_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Switch it on or off, or tell again what was given up within the last week."""
        one = self._allowed(request, int(pk))
        said = VERBS[verb](one, timezone.now())
        self.log_change(request, one, f"{verb}: {said}"[:300])
        messages.success(request, said)
        return redirect("admin:campaigns_webhookendpoint_change", pk)

    def _allowed(self, request: HttpRequest, pk: int) -> WebhookEndpoint:
        if not self.has_change_permission(request):
            raise PermissionDenied
        ask_again(request)
        return get_object_or_404(WebhookEndpoint, pk=pk)

    def _secret(self, request: HttpRequest, one: WebhookEndpoint, secret: str, *, replaced: bool) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": one.name,
            "endpoint": one,
            "secret": secret,
            "replaced": replaced,
            "opts": WebhookEndpoint._meta,
        }
        answer = TemplateResponse(request, "zhiyin/webhook/secret.html", context)
        patch_cache_control(answer, no_store=True)
        return answer


@admin.register(WebhookMessage)
class WebhookMessageAdmin(ReadOnlyAdmin):
    """The log: what was told to whom, each try, and a button to tell it again."""

    change_form_template = "zhiyin/webhook/message.html"
    list_display = ("kind", "endpoint", "state", "attempts", "happened_at", "delivered_at")
    list_filter = (("endpoint", RelatedDropdownFilter),)
    list_select_related = ("endpoint",)
    fields = ("endpoint", "kind", "happened_at", "created_at", "next_at", "delivered_at")
    ordering = ("-sequence",)
    nothing_yet = _("Nothing was told yet. What is told stays here for a month.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.replay_view)
        return [path("<uuid:pk>/replay/", view, name="campaigns_webhookmessage_replay"), *super().get_urls()]

    @column(_("status"), label=MESSAGE_LABELS)
    def state(self, one: WebhookMessage) -> tuple[str, Any]:
        found = message_state(one)
        return found, MESSAGE_STATES[found]

    def facts_of(self, request: HttpRequest, one: WebhookMessage) -> Mapping[str, Any]:
        return {
            "message": one,
            "state": MESSAGE_STATES[message_state(one)],
            "tries": one.tries.order_by("-tried_at", "-pk"),
            "may_replay": request.user.has_perm("campaigns.change_webhookendpoint"),
        }

    @method_decorator(require_POST)
    def replay_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Tell one thing again, under its old number."""
        if not request.user.has_perm("campaigns.change_webhookendpoint"):
            raise PermissionDenied
        one = get_object_or_404(WebhookMessage, pk=pk)
        endpoints.replay(one, timezone.now())
        self.log_change(request, one, "Told again.")
        messages.success(request, gettext("It is told again within seconds, if its endpoint is active."))
        return redirect("admin:campaigns_webhookmessage_change", pk)


def state_of(one: WebhookEndpoint) -> str:
    if not one.active:
        return "stopped"
    return "resting" if one.failing_since else "active"


def message_state(one: WebhookMessage) -> str:
    if one.delivered_at:
        return "told"
    return "waiting" if one.next_at else "given_up"


def _facts(one: Any) -> dict[str, Any]:
    state = state_of(one)
    rows = one.messages.order_by("-sequence")[:SHOWN]
    return {
        "state": STATES[state],
        "tone": {"active": "good", "resting": "warn", "stopped": "bad"}[state],
        "waiting": one.of_waiting or 0,
        "given_up": one.of_given_up or 0,
        "log": [(row, MESSAGE_STATES[message_state(row)], message_state(row)) for row in rows],
        "rotating": one.old_secret_until if one.old_secret_until and one.old_secret_until > timezone.now() else None,
    }
