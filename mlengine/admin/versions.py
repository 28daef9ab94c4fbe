"""Models: what each is for, how its champion does, the buttons to train and predict, and the card of each version."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from crm import assessments
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.models import JobRun
from mlengine import fairness
from mlengine.admin import cards, care, effects, overview, private
from mlengine.admin.decision_words import decision_text
from mlengine.admin.refusals import refusal_text
from mlengine.admin.words import RECOMMENDER, spec_description, spec_title
from mlengine.models import ModelVersion
from mlengine.recipes import NoSuchChoice
from mlengine.specs import SPECS

STAGES = {"champion": "success", "challenger": "warning", "candidate": "info", "retired": "default"}


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Versions, below a card for each model with its buttons."""

    change_list_template = "zhiyin/version/change_list.html"
    change_form_template = "zhiyin/version/change_form.html"
    list_display = ("name", "stage_label", "why", "cutoff", "trained_at", "promoted_by")
    list_filter = ("spec", "stage")
    list_select_related = ("promoted_by",)
    ordering = ("-trained_at", "-id")
    fields = ("spec",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("nights/", view(self.nights_view), name="mlengine_nights"),
            path("effects/", view(self.effects_view), name="mlengine_effects"),
            path("care/<str:spec>/", view(self.care_view), name="mlengine_care"),
            path("<int:pk>/roll-back/", view(self.roll_back_view), name="mlengine_modelversion_roll_back"),
            path("<int:pk>/challenge/", view(self.challenge_view), name="mlengine_modelversion_challenge"),
            path("<int:pk>/stand-down/", view(self.stand_down_view), name="mlengine_modelversion_stand_down"),
            path("<str:spec>/search/", view(self.search_view), name="mlengine_modelversion_search"),
            path("<int:pk>/promote/", view(self.promote_view), name="mlengine_modelversion_promote"),
            path("<str:spec>/train/", view(self.train_view), name="mlengine_modelversion_train"),
            path("<str:spec>/predict/", view(self.predict_view), name="mlengine_modelversion_predict"),
            *super().get_urls(),
        ]

    @column(_("version"), ordering="spec")
    def name(self, version: ModelVersion) -> str:
        return f"{spec_title(version.spec)} v{version.number}"

    def title_of(self, obj: ModelVersion) -> str:
        return self.name(obj)

    @column(_("stage"), ordering="stage", label=STAGES)
    def stage_label(self, version: ModelVersion) -> tuple[str, str]:
        return version.stage, version.get_stage_display()

    @column(_("why it was promoted or not"))
    def why(self, version: ModelVersion) -> str:
        return decision_text(version.decision)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().changelist_view(request, (extra_context or {}) | models_page(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        counts = private.sees_people(request.user)
        facts = cards.about(version, counts=counts) if isinstance(version, ModelVersion) else {}
        if facts and not counts:
            facts["card"] = cards.without_people(facts["card"])
        facts["may_promote"] = may_promote(request, version)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

    def care_view(self, request: HttpRequest, spec: str) -> HttpResponse:
        return care.page(request, self.admin_site.each_context(request) | {"opts": self.opts}, spec)

    def effects_view(self, request: HttpRequest) -> HttpResponse:
        return effects.page(request, self.admin_site.each_context(request) | {"opts": self.opts})

    def nights_view(self, request: HttpRequest) -> HttpResponse:
        return care.nights_page(request, self.admin_site.each_context(request) | {"opts": self.opts})

    @method_decorator(require_POST)
    def roll_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return care.roll_back(request, pk)

    @method_decorator(require_POST)
    def challenge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return care.challenge(request, pk)

    @method_decorator(require_POST)
    def stand_down_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return care.stand_down(request, pk)

    @method_decorator(require_POST)
    def search_view(self, request: HttpRequest, spec: str) -> HttpResponse:
        """Search for as long as the reader chose."""
        from mlengine import search

        minutes = _minutes(request.POST.get("minutes", ""))
        return _ask(request, spec, partial(search.request, minutes=minutes), "mlengine.add_trial")

    @method_decorator(require_POST)
    def train_view(self, request: HttpRequest, spec: str) -> HttpResponse:
        """Train by the recipe in use, or with what the reader chose in its place."""
        from mlengine import training

        wanted = {name: request.POST[name] for name in (RECOMMENDER,) if request.POST.get(name)}
        return _ask(request, spec, partial(training.request, wanted=wanted), "mlengine.add_modelversion")

    @method_decorator(require_POST)
    def predict_view(self, request: HttpRequest, spec: str) -> HttpResponse:
        from mlengine import prediction

        return _ask(request, spec, prediction.request, "mlengine.add_predictionrun")

    @method_decorator(require_POST)
    def promote_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a version the champion, or go back to an earlier one, for a stated reason."""
        from mlengine import jobs, registry

        version = ModelVersion.objects.filter(pk=pk).first()
        if not may_promote(request, version):
            raise PermissionDenied
        version = get_object_or_404(ModelVersion, pk=pk)
        reason = request.POST.get("reason", "").strip()
        if not reason:
            messages.error(request, gettext("Say why: the reason is kept with the version."))
            return redirect("admin:mlengine_modelversion_change", pk)
        try:
            registry.promote(version, by=person_of(request), reason=reason, now=timezone.now())
            if version.spec in SPECS:  # answers at once, not with the next night
                jobs.request(jobs.PREDICT, version.spec, now=timezone.now(), by=person_of(request))
        except (registry.ArtifactError, assessments.NoAssessment, fairness.Unfair) as error:
            messages.error(request, refusal_text(str(error)))
        else:
            self.log_change(request, version, f"Promoted: {reason}")
            messages.success(request, gettext("%(version)s is the champion now.") % {"version": version})
        return redirect("admin:mlengine_modelversion_change", pk)


def may_promote(request: HttpRequest, version: ModelVersion | None) -> bool:
    """Return whether this reader decides what serves: of one that is or may be unfair, only who may override."""
    refused = version is not None and fairness.refusal(fairness.of(version))
    return request.user.has_perm(fairness.OVERRIDE if refused else "mlengine.change_modelversion")


def models_page(request: HttpRequest) -> dict[str, Any]:
    """Return a card for each model, with the job at work on it."""
    now = timezone.now()
    jobs = {job.parameters.get("spec"): job for job in JobRun.objects.active().filter(kind__in=["train", "predict"])}
    rows = {row["health"].spec: row for row in overview.health(now=now)}
    champions = ModelVersion.objects.by_spec(ModelVersion.Stage.CHAMPION)
    challengers = ModelVersion.objects.by_spec(ModelVersion.Stage.CHALLENGER)
    return {
        "models": [
            {
                "spec": spec,
                "title": spec_title(spec.name),
                "description": spec_description(spec.name),
                "row": rows[spec.name],
                "version": champions.get(spec.name),
                "challenger": challengers.get(spec.name),
                "job": jobs.get(spec.name),
            }
            for spec in SPECS.values()
        ],
        "may_train": request.user.has_perm("mlengine.add_modelversion"),
        "may_predict": request.user.has_perm("mlengine.add_predictionrun"),
        "now": now,
    }


def _minutes(said: str) -> int:
    """Return for how many minutes a search goes on: one of those offered, whatever was sent."""
    return int(said) if said in map(str, care.SEARCH_MINUTES) else care.USUAL_MINUTES


def _ask(request: HttpRequest, spec: str, ask: Any, permission: str) -> HttpResponse:
    """Ask a worker, and show the job's page, where its bar moves."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    if spec not in SPECS:
        raise Http404(spec)
    try:
        job = ask(spec, now=timezone.now(), by=person_of(request))
    except (assessments.NoAssessment, NoSuchChoice) as error:
        messages.error(request, refusal_text(str(error)))
        return redirect("admin:mlengine_modelversion_changelist")
    return redirect("admin:crm_jobrun_change", job.pk)
