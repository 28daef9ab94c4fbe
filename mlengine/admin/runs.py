"""Batches of answers: what a model said of everybody at one date."""

from typing import Any

from celery import current_app
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from crm.admin.lists import EstimatingPaginator, ReadOnlyAdmin, column, person_of
from crm.privacy import masked_name
from mlengine.admin import amounts, care, drawings, item_answers, levers, private
from mlengine.admin.people import explained
from mlengine.admin.words import spec_title
from mlengine.models import PredictionRun, Score
from mlengine.specs import SPECS

PEOPLE_A_PAGE = 25


@admin.register(PredictionRun)
class PredictionRunAdmin(ReadOnlyAdmin):
    """Runs; a score's run lists the people with the highest scores, with reasons."""

    change_form_template = "zhiyin/run/change_form.html"
    list_display = ("name", "by", "cutoff", "rows", "started_at", "finished_at", "state")
    list_filter = ("spec",)
    list_select_related = ("version",)
    ordering = ("-cutoff", "-id")
    fields = ("spec",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/reasons/<int:profile>/", view(self.reasons_view), name="mlengine_reasons"),
            path("<int:pk>/lineage/", view(self.lineage_view), name="mlengine_lineage"),
            *super().get_urls(),
        ]

    def lineage_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answer with what leads back from the scores of a run."""
        return care.lineage_page(request, self.admin_site.each_context(request) | {"opts": self.opts}, pk)

    def reasons_view(self, request: HttpRequest, pk: int, profile: int) -> HttpResponse:
        """Answer with the reasons for one score; asked by POST, a worker works them out first."""
        if not (private.sees_people(request.user) and request.user.has_perm("mlengine.view_score")):
            raise PermissionDenied
        score = get_object_or_404(Score.objects.select_related("run", "profile"), run=pk, profile=profile)
        if request.method == "POST" and score.reasons is None:
            current_app.send_task("mlengine.tasks.explain", [pk, profile], queue="online")
        context = {
            "reasons": explained(score.reasons, score.run),
            "asked": score.reasons is None,
            "run": score.run,
            "profile": score.profile,
        }
        return TemplateResponse(request, "zhiyin/profile/reasons.html", context)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        # How many rows a run has is how many people were scored.
        shown = self.list_display
        return shown if private.sees_people(request.user) else tuple(name for name in shown if name != "rows")

    @column(_("run"), ordering="spec")
    def name(self, run: PredictionRun) -> str:
        return f"{spec_title(run.spec)} #{run.pk}"

    def title_of(self, obj: PredictionRun) -> str:
        return f"{spec_title(obj.spec)} {date_format(timezone.localtime(obj.cutoff), 'DATE_FORMAT')}"

    @column(_("version"), ordering="version")
    def by(self, run: PredictionRun) -> str:
        return f"v{run.version.number}"

    @column(_("state"), label={"done": "success", "working": "info", "shadow": "warning"}, ordering="finished_at")
    def state(self, run: PredictionRun) -> tuple[str, Any]:
        if run.shadow:
            return "shadow", _("in the shadow")
        return ("done", _("finished")) if run.finished_at else ("working", _("being made"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        facts = about(run, request) if isinstance(run, PredictionRun) else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)


def about(run: PredictionRun, request: HttpRequest) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "run": run,
        "model_title": spec_title(run.spec),
        "exact": private.sees_people(request.user),
        "subtitle": f"{spec_title(run.spec)} #{run.pk}",
    }
    spec = SPECS.get(run.spec)
    if not facts["exact"]:
        # Only the latest run is told: a figure for each of the older ones would spend the budget on the past.
        return facts | {"private": _private(run, request)}
    facts["charts"] = drawings.of_run(run)
    facts |= item_answers.about(run, request.user)
    if spec is not None and spec.answers == "score" and request.user.has_perm("mlengine.view_score"):
        facts |= highest(run, request)
    return facts


def _private(run: PredictionRun, request: HttpRequest) -> private.Answered | None:
    if run != PredictionRun.objects.latest_finished(run.spec):
        return None
    names = [f"sizes-{run.spec}", f"scores-{run.spec}"]
    return next(iter(private.all_of(names, person_of(request), timezone.now()).values()), None)


def highest(run: PredictionRun, request: HttpRequest) -> dict[str, Any]:
    """Return the people with the highest scores, a page at a time, from the index on (run, score)."""
    found = Score.objects.filter(run=run).order_by("-value").select_related("profile")
    pages: Paginator[Any] = EstimatingPaginator(found, PEOPLE_A_PAGE)
    page = pages.get_page(request.GET.get("p"))
    rows: list[tuple[Any, ...]] = []
    leave = run.spec in levers.LEAVING
    latest = leave and run == PredictionRun.objects.latest_finished(run.spec)  # whose answers a segment's rule asks
    by_person = levers.of_people([score.profile_id for score in page.object_list]) if leave else {}
    for score in page.object_list:
        score.run = run
        value = amounts.amount(score.value, amounts.unit_of(run.spec), amounts.currency_of(run))
        numbers = value, amounts.between(score), amounts.beside(score)
        lever = by_person.get(score.profile_id)
        rows.append((score.profile, masked_name(score.profile.name), *numbers, explained(score.reasons, run), lever))
    return {"people": rows, "page": page, "asks_levers": leave, "is_latest": latest, "knows_levers": bool(by_person)}
