"""The platform's templates: read with their keys, asked for, and allowed by a colleague for service messages only."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from campaigns.admin.wechat_parts import tried
from campaigns.models import ChannelAccount, PlatformTemplate
from campaigns.templating.template_editing import KEY_TYPES
from campaigns.wechat import catalogue
from campaigns.wechat.catalogue import NoReview
from crm.admin.again import ask_again
from crm.admin.lists import ReadOnlyAdmin, column, person_of

LABELS = {"allowed": "success", "refused": "danger", "waiting": "warning", "new": "info", "gone": "default"}
STATES = {
    "allowed": _("allowed for service"),
    "refused": _("refused"),
    "waiting": _("waits for a colleague"),
    "new": _("not looked at"),
    "gone": _("gone at the platform"),
}
TONES = {"allowed": "good", "refused": "bad", "waiting": "accent"}


@admin.register(PlatformTemplate)
class PlatformTemplateAdmin(ReadOnlyAdmin):
    """Templates, each with its keys and whether it may be used; whoever asks is not who decides."""

    change_list_template = "zhiyin/wechat/templates.html"
    change_form_template = "zhiyin/wechat/template.html"
    list_display = ("title", "account", "kind", "state", "category", "key_count", "synced_at")
    list_filter = (("account", RelatedDropdownFilter), ("kind", ChoicesDropdownFilter), "allowed")
    list_select_related = ("account",)
    search_fields = ("title", "template_id")
    ordering = ("gone_at", "title")
    nothing_yet = _("Templates are chosen at the platform. Read them, then have each one looked at before it is used.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("read/<int:pk>/", view(self.read_view), name="campaigns_platformtemplate_read"),
            path("<int:pk>/ask/", view(self.ask_view), name="campaigns_platformtemplate_ask"),
            re_path(
                r"^(?P<pk>\d+)/(?P<verb>allow|refuse|withdraw)/$",
                view(self.decide_view),
                name="campaigns_platformtemplate_decide",
            ),
            *super().get_urls(),
        ]

    @column(_("state"), label=LABELS)
    def state(self, one: PlatformTemplate) -> tuple[str, Any]:
        found = state_of(one)
        return found, STATES[found]

    @column(_("keys"))
    def key_count(self, one: PlatformTemplate) -> int:
        return len(one.keys)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("reviews")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"houses": list(_accounts()), "may_change": _may_ask(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        one = self.get_object(request, object_id)
        facts: dict[str, Any] = {}
        if isinstance(one, PlatformTemplate):
            state = state_of(one)
            waiting = next((review for review in one.reviews.all() if review.decided_at is None), None)
            reviews = one.reviews.select_related("asked_by", "decided_by").order_by("-asked_at")
            facts = {
                "template": one,
                "state": STATES[state],
                "tone": TONES.get(state, ""),
                "keys": [(key, KEY_TYPES.get(key.type, key.type)) for key in catalogue.keys_of(one.content)],
                "doubts": catalogue.doubts(one),
                "waiting": waiting,
                "own": waiting is not None and waiting.asked_by_id == request.user.pk,
                "reviews": reviews,
                "may_ask": _may_ask(request),
                "may_decide": request.user.has_perm(catalogue.REVIEWS),
            }
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read an account's templates."""
        if not _may_ask(request):
            raise PermissionDenied
        account = get_object_or_404(_accounts(), pk=pk)
        said = gettext("The templates were read.")
        tried(request, lambda: catalogue.read(account, timezone.now()), said, refused=NoReview)
        return redirect("admin:campaigns_platformtemplate_changelist")

    @method_decorator(require_POST)
    def ask_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask a colleague to look at a template."""
        if not _may_ask(request):
            raise PermissionDenied
        one = get_object_or_404(PlatformTemplate, pk=pk)
        told, said = request.POST.get("statement", ""), gettext("Asked: a colleague looks at it now.")
        tried(request, lambda: catalogue.ask(one, person_of(request), told, timezone.now()), said, refused=NoReview)
        return redirect("admin:campaigns_platformtemplate_change", pk)

    @method_decorator(require_POST)
    def decide_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Allow a template for service messages, refuse it, or take the permission back."""
        if not request.user.has_perm(catalogue.REVIEWS):
            raise PermissionDenied
        one = get_object_or_404(PlatformTemplate, pk=pk)
        ask_again(request)
        by, now, note = person_of(request), timezone.now(), request.POST.get("note", "")

        def decide() -> None:
            if verb == "withdraw":
                catalogue.withdraw(one, by, now)
            else:
                catalogue.decide(one, by, allowed=verb == "allow", note=note, now=now)

        if tried(request, decide, gettext("Decided."), refused=NoReview):
            self.log_change(request, one, verb)
        return redirect("admin:campaigns_platformtemplate_change", pk)


def _accounts() -> QuerySet[ChannelAccount]:
    """Return the accounts whose templates can be read, those that work first."""
    rows = ChannelAccount.objects.filter(provider__in=catalogue.READS)
    return rows.order_by("status", "-preferred", "name")


def _may_ask(request: HttpRequest) -> bool:
    return request.user.has_perm("campaigns.change_platformtemplate")


def state_of(one: PlatformTemplate) -> str:
    """Return where a template stands; its reviews are read with it."""
    if one.gone_at:
        return "gone"
    if any(review.decided_at is None for review in one.reviews.all()):
        return "waiting"
    return {True: "allowed", False: "refused", None: "new"}[one.allowed]
