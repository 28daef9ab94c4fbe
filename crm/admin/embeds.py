"""The page that makes the snippets with which forms elsewhere ask for consent; an unlawful form gets none."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from crm import consent_forms
from crm.models import Channel, Purpose
from crm.preferences.choices import has_choice, in_force
from crm.preferences.shown import LANGUAGES

# The component's files, as the developer tools of mini programs name them.
MINI_PROGRAM = ("consent.wxml", "consent.js", "sha256.js")


def embed_view(request: HttpRequest) -> HttpResponse:
    """Show what to paste, for the purposes that were chosen."""
    if not request.user.has_perm("crm.view_purpose"):
        raise PermissionDenied
    asked = request.GET
    offered = [one for one in Purpose.objects.active().order_by("separate", "pk") if has_choice(one)]
    known = {one.code: one for one in offered}
    chosen = [code for code in asked.getlist("purpose") if code in known]
    required = [code for code in asked.getlist("required") if code in known]
    channel = asked.get("channel", "") if asked.get("channel", "") in Channel.values else ""
    form = consent_forms.controls([*chosen, *required], channel, required)
    context = {
        **admin.site.each_context(request),
        "title": _("Forms elsewhere"),
        "offered": [(one, one.code in chosen, one.code in required) for one in offered],
        "channels": Channel.choices,
        "channel": channel,
        "language": asked.get("language", "") if asked.get("language", "") in LANGUAGES else LANGUAGES[0],
        "purposes": ",".join(chosen),
        "flaws": consent_forms.flaws(form, known, in_force(timezone.now())),
        "here": request.build_absolute_uri("/").rstrip("/"),
        "script": request.build_absolute_uri(static("zhiyin/embed.js")),
    }
    context["files"] = [(name, _file(name, context)) for name in MINI_PROGRAM]
    return TemplateResponse(request, "zhiyin/consent/embed.html", context)


def _file(name: str, context: dict[str, object]) -> str:
    """Return a file of the component; plain text, which the page then escapes."""
    return str(SafeString(render_to_string(f"zhiyin/consent/mini_program/{name}", context)))
