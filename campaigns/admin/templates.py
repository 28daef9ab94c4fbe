"""Templates in the admin: an editor with a preview as somebody, what is wrong, all versions, and a test to oneself."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from campaigns import forms
from campaigns.forms import FormError
from campaigns.models import ChannelAccount, PlatformTemplate, Template, TemplateVersion
from campaigns.templating import checking, objects, previews, rendering, sms, template_editing, template_saving
from campaigns.templating.rendering import TemplateFailed
from crm.admin.lists import ListAdmin, column, person_of
from crm.models import Channel

ADD, CHANGE = "campaigns.add_template", "campaigns.change_template"
TEST_SENT, MOST_TESTS = "Test sent", 20


@admin.register(Template)
class TemplateAdmin(ListAdmin):
    """Templates: each saving is a version; none is deleted."""

    list_display = ("title", "channels", "version", "saved")
    search_fields = ("name", "description")
    ordering = ("name",)
    list_select_related = ("current", "current__made_by")
    nothing_yet = _("What people get: write it once, for each channel and in each language.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview_view), name="campaigns_template_preview"),
            path("<int:pk>/test/", wrap(self.test_view), name="campaigns_template_test"),
            *super().get_urls(),
        ]

    @column(_("template"), ordering="name", header=True)
    def title(self, template: Template) -> list[str]:
        return [template.name, template.description]

    @column(_("channels"))
    def channels(self, template: Template) -> str:
        held = template.current.forms if template.current else {}
        return " · ".join(str(Channel(one).label) for one in held if one in Channel.values)

    @column(_("version"))
    def version(self, template: Template) -> int | None:
        return template.current.number if template.current else None

    @column(_("saved"), ordering="current__made_at")
    def saved(self, template: Template) -> Any:
        return template.current.made_at if template.current else None

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not request.user.has_perm(ADD):
            raise PermissionDenied
        return self._editor(request, Template(name=""))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        template = self.get_object(request, object_id)
        if template is None or not self.has_view_permission(request, template):
            return super().change_view(request, object_id, form_url, extra_context)
        return self._editor(request, template)

    def _editor(self, request: HttpRequest, template: Template) -> HttpResponse:
        may_change = request.user.has_perm(CHANGE if template.pk else ADD)
        if request.method == "POST" and not may_change:
            raise PermissionDenied
        wrong: list[checking.Problem] = []
        if request.method == "POST":
            try:
                made = self._save(request, template)
            except FormError as error:
                wrong = [checking.Problem(where=error.path, code="bad_form", message=error.message)]
            else:
                messages.success(request, gettext("Version %(number)s is saved.") % {"number": made.number})
                return redirect("admin:campaigns_template_change", made.template_id)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "may_change": may_change}
        context |= about(template, request, wrong)
        if template.pk:
            context["original"] = template
        else:
            context["add"] = True
        return TemplateResponse(request, "zhiyin/template/editor.html", context)

    def _save(self, request: HttpRequest, template: Template) -> TemplateVersion:
        told = template_editing.read(request.POST)
        name = request.POST.get("name", "").strip()[:120]
        if not name or Template.objects.filter(name=name).exclude(pk=template.pk).exists():
            raise FormError("name", gettext("a name is needed that no other template has"))
        forms.parse(told)
        now, user = timezone.now(), person_of(request)
        template.name, template.description = name, request.POST.get("description", "").strip()[:500]
        if not template.pk:
            template.created_at, template.created_by = now, user
        template.save()
        fallbacks = template_editing.read_fallbacks(request.POST.get("fallbacks", ""))
        made = template_saving.save(template, told, fallbacks, by=user, now=now)
        self.log_change(request, template, f"Version {made.number}.")
        return made

    @method_decorator(require_POST)
    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what stands in the editor as somebody would get it; nothing is kept."""
        if not request.user.has_perm("campaigns.view_template"):
            raise PermissionDenied
        try:
            told = template_editing.read(request.POST)
        except FormError as error:
            return JsonResponse({"problems": [{"where": error.path, "message": error.message, "grave": True}]})
        fallbacks = template_editing.read_fallbacks(request.POST.get("fallbacks", ""))
        return JsonResponse(previewed(request, TemplateVersion(forms=told, fallbacks=fallbacks)))

    @method_decorator(require_POST)
    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send what is saved to whoever asks, marked as a test; the person in it is made up."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        template = get_object_or_404(Template.objects.select_related("current"), pk=pk, current__isnull=False)
        user, now = person_of(request), timezone.now()
        channel, language = request.POST.get("test_channel") or "email", request.POST.get("test_language", "")
        address = user.email if channel == "email" else request.POST.get("test_to", "")
        try:
            refuse_too_many(user, now)
            outcome = previews.send_test(_current(template), channel, address, language, now)
        except (TemplateFailed, previews.NoTest) as refused:
            said = checking.explain(refused) if isinstance(refused, TemplateFailed) else str(refused)
            messages.error(request, said)
        else:
            self.log_change(request, template, f"{TEST_SENT} ({channel})")
            messages.success(request, gettext("The provider's answer to the test: %(answer)s.") % {"answer": outcome})
        return redirect("admin:campaigns_template_change", pk)


def refuse_too_many(user: User, now: datetime) -> None:
    """Refuse a test to somebody who has sent many within the last hour: each one may cost, and reach a stranger."""
    an_hour = now - timedelta(hours=1)
    sent = LogEntry.objects.filter(user=user, action_time__gt=an_hour, change_message__startswith=TEST_SENT)
    if sent.count() >= MOST_TESTS:
        raise previews.NoTest(gettext("You have sent %s tests within an hour: wait a little.") % MOST_TESTS)


def _current(template: Template) -> TemplateVersion:
    if template.current is None:
        raise TemplateFailed("no_form")
    return template.current


def previewed(request: HttpRequest, version: TemplateVersion) -> dict[str, Any]:
    """Return the parts of a preview, the length of an SMS, the variables and all problems, as JSON has them."""
    channel, language = request.POST.get("channel", ""), request.POST.get("language", "")
    found = rendering.check(version)
    shown: dict[str, Any] = {
        "problems": [{"where": one.where, "message": one.message, "grave": one.grave} for one in found],
        "variables": checking.shown_variables(version),
    }
    if language not in version.forms.get(channel, {}):
        return shown
    profile = request.POST.get("profile", "").strip().lstrip("#")
    may = request.user.has_perm("crm.view_profile")
    try:
        told = previews.preview(version, channel, language, int(profile) if profile.isdigit() and may else None)
    except TemplateFailed as failed:
        return shown | {"failed": checking.explain(failed)}
    shown["parts"] = told
    if channel == Channel.SMS:
        length = sms.length(told["text"])
        shown["sms"] = gettext("%(units)s signs, %(parts)s message(s) of up to %(in_part)s") % {
            "units": length.units,
            "parts": length.parts,
            "in_part": length.in_part,
        }
    return shown


def about(template: Template, request: HttpRequest, wrong: list[checking.Problem]) -> dict[str, Any]:
    """Return what the editor's page shows."""
    current = template.current if template.pk else None
    if request.method == "POST":
        try:
            told = template_editing.read(request.POST)
        except FormError:
            told = current.forms if current else {}
    else:
        told = current.forms if current else {}
    fallbacks = current.fallbacks if current else {}
    return {
        "template": template,
        "title": template.name or gettext("New template"),
        "panels": template_editing.panels(told),
        "fallbacks": "\n".join(f"{name} = {value}" for name, value in fallbacks.items()),
        "problems": wrong or (rendering.check(current) if current else []),
        "variables": objects.VARIABLES,
        "versions": template.versions.select_related("made_by").order_by("-number")[:20] if template.pk else [],
        "allowed": PlatformTemplate.objects.filter(allowed=True, gone_at=None)
        .select_related("account")
        .order_by("title"),
        "key_types": {code: str(words) for code, words in template_editing.KEY_TYPES.items()},
        "tested": [
            channel
            for channel in previews.TESTED
            if current and channel in current.forms and ChannelAccount.objects.working(channel).exists()
        ],
    }
