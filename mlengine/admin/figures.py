"""Private figures: what was told to those who may not see people, what more may be asked, and the budget left."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from crm.admin.lists import ReadOnlyAdmin, column, moment, person_of
from crm.models import Release
from mlengine import figures, releases
from mlengine.admin import private
from mlengine.figures import Figure

NOISES = {"laplace": _("Laplace noise"), "gaussian": _("Gaussian noise")}


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """What was released, below the figures of this week and the questions that may still be asked."""

    change_list_template = "zhiyin/figure/change_list.html"
    list_display = ("figure", "told", "margin", "alone", "data_at", "published_at")
    list_filter = ("name",)
    ordering = ("-released_at", "-id")
    fields = ("figure", "shown_answer", "noise", "alone", ("data_at", "published_at"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.ask_view)
        return [path("ask/<str:name>/", view, name="crm_release_ask"), *super().get_urls()]

    nothing_yet = _("Nothing was told yet. What analysts and programs are told with noise stands here, once for all.")

    def title_of(self, obj: Release) -> str:
        return f"{self.figure(obj)}, {date_format(timezone.localtime(obj.data_at), 'DATE_FORMAT')}"

    @column(pgettext_lazy("figure", "released"), ordering="released_at")
    def published_at(self, release: Release) -> str:
        return moment(release.released_at)

    @column(_("answer"))
    def shown_answer(self, release: Release) -> SafeString:
        found = figures.figures().get(release.name)
        names = private.labels_of(found) if found else {}
        told = {str(names.get(key) or private.label_of(key)): count for key, count in release.answer.items()}
        return render_to_string("zhiyin/figure/rows.html", {"rows": told.items()})

    @column(_("noise"))
    def noise(self, release: Release) -> str:
        used = release.mechanism
        facts = {
            "kind": NOISES.get(used.get("kind", ""), "–"),
            "scale": used.get("scale", "–"),
            "most": used.get("most", "–"),
        }
        return gettext("%(kind)s, scale %(scale)s; one person counts in at most %(most)s cells") % facts

    @column(_("figure"), ordering="name")
    def figure(self, release: Release) -> str:
        found = figures.figures().get(release.name)
        return private.title_of(found) if found else release.name

    @column(_("cells told"))
    def told(self, release: Release) -> int:
        return len(release.answer)

    @column("± 95 %")
    def margin(self, release: Release) -> str:
        return f"{releases.mechanism_of(release).margin():,}"

    @column(_("cost alone"), ordering="epsilon")
    def alone(self, release: Release) -> str:
        return f"ε {release.epsilon:.2f}" if release.epsilon else "ρ"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().changelist_view(request, (extra_context or {}) | page(request, timezone.now()))

    @method_decorator(require_POST)
    def ask_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Draw a figure: by POST only, because it spends of a budget that all analysts share."""
        if not request.user.has_perm("crm.add_release"):
            raise PermissionDenied
        figure = figures.figures().get(name)
        if figure is None:
            raise Http404(name)
        made = private.answered(figure, person_of(request), timezone.now())
        if made.refused:
            messages.error(request, made.refused)
        return redirect(f"{reverse('admin:crm_release_changelist')}#figure-{name}")


def page(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what was told lately to staff who may not see people, and what they may ask."""
    user = person_of(request)
    exact = private.sees_people(user)
    return {
        "budget": private.budget(user, now),
        "exact": exact,
        "may_ask": user.has_perm("crm.add_release") and not exact,
        "figures": [_lately(figure, now, exact=exact, user=user) for figure in figures.figures().values()],
    }


def _lately(figure: Figure, now: datetime, *, exact: bool, user: Any) -> private.Answered:
    """Return what is known already: exact counts for those who may see people, nothing is drawn for the others."""
    if exact:
        return private.answered(figure, user, now)
    data_at = figure.of(now)
    if data_at is not None:
        question = releases.Question(name=figure.name, mechanism=figure.mechanism, data_at=data_at)
        release = releases.known(question, releases.Audience.staff(user))
        if release is not None:
            return private.presented(figures.shown(release, figure))
    return private.Answered(name=figure.name, title=private.title_of(figure))
