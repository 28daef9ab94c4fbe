"""What must be kept and what may go: legal holds, rules of retention, and the report of every pass."""

from datetime import timedelta
from typing import Any

from celery import current_app
from django import forms
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
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm import holds, retention_releases
from crm.admin.lists import ListAdmin, ReadOnlyAdmin, column, moment, person_of
from crm.charts import rounded
from crm.models import LegalHold, Profile, RetentionRelease, RetentionRule, RetentionRun
from crm.retention_classes import CLASSES
from crm.retention_keeps import all_keeps

CLASS_CHOICES = [(name, kept.title) for name, kept in CLASSES.items()]


class HoldForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A hold names its case; whom or what it keeps depends on its scope."""

    data_class = forms.ChoiceField(
        label=_("data class"), choices=[("", "–"), *CLASS_CHOICES], required=False, widget=UnfoldAdminSelectWidget
    )
    profile = forms.IntegerField(
        label=_("Number of the profile"), min_value=1, required=False, widget=UnfoldAdminIntegerFieldWidget
    )

    class Meta:
        model = LegalHold
        fields = ("reference", "reason", "scope", "profile", "data_class")

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        scope, number = told.get("scope"), told.get("profile")
        person = Profile.objects.filter(pk=number).first() if number and scope == LegalHold.Scope.PERSON else None
        if scope == LegalHold.Scope.PERSON and person is None:
            self.add_error("profile", gettext("There is no profile with this number."))
        if scope == LegalHold.Scope.DATA_CLASS and not told.get("data_class"):
            self.add_error("data_class", gettext("Say which class of data is kept."))
        return told | {"profile": person} | ({} if scope == LegalHold.Scope.DATA_CLASS else {"data_class": ""})


@admin.register(LegalHold)
class LegalHoldAdmin(ListAdmin):
    """Orders to keep; they are released, never changed or deleted."""

    nothing_yet = _("What a court or an authority wants kept: while a hold is in force, nothing it names is deleted.")

    form = HoldForm
    change_form_template = "zhiyin/rights/hold.html"
    list_display = ("reference", "keeps", "state", "placed_by", "placed_at", "released_at")
    list_filter = (("scope", ChoicesDropdownFilter), ("released_at", admin.EmptyFieldListFilter))
    list_select_related = ("placed_by", "released_by")
    search_fields = ("reference",)
    ordering = ("released_at", "-placed_at")
    fields = ("reference", "reason", "scope", "profile", "data_class")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        release = self.admin_site.admin_view(self.release_view)
        return [path("<int:pk>/release/", release, name="crm_legalhold_release"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: LegalHold, form: Any, change: bool) -> None:
        holds.place(obj, now=timezone.now(), user=person_of(request))

    @column(_("keeps"))
    def keeps(self, hold: LegalHold) -> str:
        return str(CLASSES[hold.data_class].title) if hold.data_class in CLASSES else holds.summary(hold)

    @column(_("state"), label={"active": "warning", "released": "success"}, ordering="released_at")
    def state(self, hold: LegalHold) -> tuple[str, Any]:
        return ("released", _("released")) if hold.released_at else ("active", _("in force"))

    @method_decorator(require_POST)
    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End a hold, and go back to its page."""
        if not request.user.has_perm("crm.change_legalhold"):
            raise PermissionDenied
        holds.release(get_object_or_404(LegalHold, pk=pk), now=timezone.now(), user=person_of(request))
        return redirect("admin:crm_legalhold_change", pk)


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A rule in days."""

    data_class = forms.ChoiceField(label=_("data class"), choices=CLASS_CHOICES, widget=UnfoldAdminSelectWidget)
    purpose = forms.CharField(label=_("purpose"), max_length=64, widget=UnfoldAdminTextInputWidget)
    days = forms.IntegerField(
        label=_("keep for (days)"), min_value=1, max_value=36_500, widget=UnfoldAdminIntegerFieldWidget
    )

    class Meta:
        model = RetentionRule
        fields = ("data_class", "purpose")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["days"].initial = self.instance.keep.days

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if days := told.get("days"):
            self.instance.keep = timedelta(days=days)
            least = CLASSES[told["data_class"]].least.days if told.get("data_class") else 0
            if days < least:
                self.add_error(
                    "days", gettext("The law wants these kept for %(days)s days at least.") % {"days": least}
                )
        return told


@admin.register(RetentionRule)
class RetentionRuleAdmin(ListAdmin):
    """The officer's own times; a class without a rule is kept as long as ours say."""

    nothing_yet = _("Every class is kept as long as the product says. A rule of yours makes it longer or shorter.")

    form = RuleForm
    list_display = ("class_title", "purpose", "days", "changed_by", "changed_at")
    list_select_related = ("changed_by",)
    ordering = ("data_class", "purpose")
    fields = ("data_class", "purpose", "days")

    def save_model(self, request: HttpRequest, obj: RetentionRule, form: Any, change: bool) -> None:
        obj.changed_by, obj.changed_at = person_of(request), timezone.now()
        super().save_model(request, obj, form, change)

    @column(_("data class"), ordering="data_class")
    def class_title(self, rule: RetentionRule) -> str:
        return title_of(rule.data_class)

    @column(_("keep for (days)"), ordering="keep")
    def days(self, rule: RetentionRule) -> int:
        return rule.keep.days


@admin.register(RetentionRun)
class RetentionRunAdmin(ReadOnlyAdmin):
    """Passes and rehearsals, the latest on top."""

    change_form_template = "zhiyin/rights/retention.html"
    change_list_template = "zhiyin/rights/retention_list.html"
    list_display = ("started_at", "sort_label", "due", "deleted", "held", "requested_by", "finished_at")
    list_select_related = ("requested_by",)
    ordering = ("-started_at",)
    fields = ("started_at",)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("rehearse/", wrap(self.rehearse_view), name="crm_retentionrun_rehearse"),
            path("<int:pk>/release/", wrap(self.release_view), name="crm_retentionrun_release"),
            path("take-back/", wrap(self.take_back_view), name="crm_retentionrun_take_back"),
            *super().get_urls(),
        ]

    def title_of(self, obj: RetentionRun) -> str:
        return moment(obj.started_at)

    @column(_("kind"), label={"rehearsal": "info", "pass": "success"}, ordering="dry_run")
    def sort_label(self, run: RetentionRun) -> tuple[str, Any]:
        return ("rehearsal", _("rehearsal")) if run.dry_run else ("pass", _("pass"))

    @column(_("past their time"))
    def due(self, run: RetentionRun) -> str:
        return rounded(sum(one["due"] for one in run.report), 0)

    @column(_("deleted"))
    def deleted(self, run: RetentionRun) -> str:
        return rounded(sum(one["deleted"] for one in run.report), 0)

    @column(_("held"))
    def held(self, run: RetentionRun) -> str:
        return rounded(sum(one["held"] for one in run.report), 0)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        keeps = all_keeps()
        waiting = set(retention_releases.waiting({name: keep.shortest for name, keep in keeps.items()}))
        kept = [
            (title_of(name), purpose_of(name), keep.longest.days, name not in waiting, name)
            for name, keep in keeps.items()
        ]
        facts = {
            "keeps": kept,
            "waiting": len(waiting),
            "may_rehearse": request.user.has_perm("crm.add_retentionrun"),
            "may_release": request.user.has_perm("crm.release_retention"),
        }
        return super().changelist_view(request, (extra_context or {}) | facts)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        facts = {"run": run, "rows": _rows(run) if run else [], "may_release": _may_release(request, run)}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

    @method_decorator(require_POST)
    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let the nightly passes delete a class, as this rehearsal showed it."""
        if not request.user.has_perm("crm.release_retention"):
            raise PermissionDenied
        run, name = get_object_or_404(RetentionRun, pk=pk), request.POST.get("data_class", "")
        if name not in CLASSES:
            raise Http404
        try:
            keep = all_keeps()[name].shortest
            retention_releases.release(run, name, keep=keep, user=person_of(request), now=timezone.now())
        except retention_releases.CannotRelease:
            messages.error(request, gettext("This cannot be released by this run: rehearse again."))
        return redirect("admin:crm_retentionrun_change", pk)

    @method_decorator(require_POST)
    def take_back_view(self, request: HttpRequest) -> HttpResponse:
        """Let the nightly passes leave a class alone again."""
        if not request.user.has_perm("crm.release_retention"):
            raise PermissionDenied
        retention_releases.take_back(request.POST.get("data_class", ""), user=person_of(request), now=timezone.now())
        return redirect("admin:crm_retentionrun_changelist")

    @method_decorator(require_POST)
    def rehearse_view(self, request: HttpRequest) -> HttpResponse:
        """Have a worker count what a pass would take."""
        if not request.user.has_perm("crm.add_retentionrun"):
            raise PermissionDenied
        current_app.send_task("crm.tasks.rehearse_retention", [person_of(request).pk], queue="default")
        messages.success(request, gettext("A rehearsal was started; its report will stand on top of this list."))
        return redirect("admin:crm_retentionrun_changelist")


# What a class of data is kept for, where nobody wrote a rule: not always a purpose that people are asked about.
REASONS = {
    "profiling": _("knowing what interests people"),
    "marketing": _("marketing, and knowing how it worked"),
    "contract": _("contract: orders, refunds, bookkeeping"),
    "service": _("service: accounts and what people state"),
    "operation": _("running the system"),
    "legal_obligation": _("proof that a law asks for"),
}


def purpose_of(name: str) -> str:
    """Return what a class of data is kept for."""
    code = CLASSES[name].purpose
    return str(REASONS.get(code, code))


def title_of(name: str) -> str:
    """Return what a class of data is called; its code where it is not known any more."""
    return str(CLASSES[name].title) if name in CLASSES else name


def _rows(run: RetentionRun) -> list[tuple[str, dict[str, Any], bool]]:
    """Return what a run found in each class: its title, the finding, and whether passes may delete it now."""
    waiting = set(retention_releases.waiting({name: keep.shortest for name, keep in all_keeps().items()}))
    free = set(RetentionRelease.objects.values_list("data_class", flat=True)) - waiting
    return [(title_of(one["data_class"]), one, one["data_class"] in free) for one in run.report]


def _may_release(request: HttpRequest, run: RetentionRun | None) -> bool:
    return bool(run and run.dry_run and run.finished_at and request.user.has_perm("crm.release_retention"))
