"""Impact assessments: written by one person, approved by another, kept for three years."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from crm import assessments
from crm.admin.again import ask_again
from crm.admin.lists import ListAdmin, column, person_of
from crm.models import ImpactAssessment

STATES = {"valid": "success", "draft": "info", "ended": "default", "withdrawn": "warning", "refused": "danger"}


class AssessmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """The report, with what may be assessed to choose from."""

    class Meta:
        model = ImpactAssessment
        fields = (
            *("subject", "title", "purposes", "data_types", "necessity", "risks", "level", "measures", "conclusion"),
            "valid_until",
        )
        widgets = {
            "subject": UnfoldAdminTextInputWidget(attrs={"list": "subjects", "placeholder": "spec:churn"}),
            "purposes": UnfoldAdminTextInputWidget(attrs={"placeholder": "profiling, marketing"}),
            "data_types": UnfoldAdminTextInputWidget(attrs={"placeholder": "purchases, age band"}),
        }


@admin.register(ImpactAssessment)
class ImpactAssessmentAdmin(ListAdmin):
    """Reports. A draft is edited; an approved one is read, withdrawn, or taken as the beginning of a new one."""

    form = AssessmentForm
    change_form_template = "zhiyin/assessment/change_form.html"
    list_display = ("number", "about_what", "title", "level", "conclusion", "state", "approved_by", "valid_until")
    list_filter = (("level", ChoicesDropdownFilter), ("conclusion", ChoicesDropdownFilter), "is_synthetic")
    list_select_related = ("approved_by",)
    search_fields = ("subject", "title")
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": (("subject", "valid_until"), "title", ("purposes", "data_types"))}),
        (_("What is weighed (PIPL, article 56)"), {"fields": ("necessity", "risks", "measures")}),
        (_("Conclusion"), {"fields": (("level", "conclusion"),)}),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(f"<int:pk>/{verb}/", view(getattr(self, f"{verb}_view")), name=f"crm_impactassessment_{verb}")
            for verb in ("approve", "withdraw", "revise")
        ] + super().get_urls()

    def has_change_permission(self, request: HttpRequest, obj: ImpactAssessment | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.is_approved)

    def has_delete_permission(self, request: HttpRequest, obj: ImpactAssessment | None = None) -> bool:
        # A list of several could hold approved ones: they are deleted one by one, as drafts.
        return obj is not None and not obj.is_approved and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: ImpactAssessment, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = timezone.now()
        # Whoever wrote in it last may not approve it either.
        obj.prepared_by = person_of(request)
        super().save_model(request, obj, form, change)

    nothing_yet = _("Before a model or a connector may work on people's data, its risks are weighed and approved here.")

    @column(_("subject"), ordering="subject")
    def about_what(self, one: ImpactAssessment) -> str:
        return render_to_string("zhiyin/assessment/subject.html", {"subject": one.subject}).strip()

    @column(_("number"), ordering="id")
    def number(self, one: ImpactAssessment) -> str:
        return str(one)

    @column(_("state"), label=STATES)
    def state(self, one: ImpactAssessment) -> tuple[str, Any]:
        return state_of(one)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one = self.get_object(request, object_id)
        facts = about(one, request) if isinstance(one, ImpactAssessment) else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

    @method_decorator(require_POST)
    def approve_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        one = self._one(request, pk, "crm.approve_impactassessment")
        ask_again(request)
        try:
            assessments.approve(one, by=person_of(request), now=timezone.now())
        except assessments.NotApproved as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, one, "Approved.")
            messages.success(request, gettext("Approved: %(subject)s may work.") % {"subject": one.subject})
        return redirect("admin:crm_impactassessment_change", pk)

    @method_decorator(require_POST)
    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        one = self._one(request, pk, "crm.approve_impactassessment")
        if assessments.withdraw(one, now=timezone.now()):
            self.log_change(request, one, "Withdrawn.")
            messages.success(request, gettext("Withdrawn: what it allowed stops at its next run."))
        return redirect("admin:crm_impactassessment_change", pk)

    @method_decorator(require_POST)
    def revise_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        one = self._one(request, pk, "crm.add_impactassessment")
        draft = assessments.revised(one, by=person_of(request), now=timezone.now())
        self.log_addition(request, draft, f"Begun from {one}.")
        return redirect("admin:crm_impactassessment_change", draft.pk)

    def _one(self, request: HttpRequest, pk: int, permission: str) -> ImpactAssessment:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return get_object_or_404(ImpactAssessment, pk=pk)


def state_of(one: ImpactAssessment) -> tuple[str, Any]:
    if not one.is_approved:
        return "draft", _("draft")
    if one.withdrawn_at:
        return "withdrawn", _("withdrawn")
    if one.valid_until <= timezone.now():
        return "ended", _("ended")
    return ("valid", _("valid")) if one.conclusion in ImpactAssessment.ALLOWING else ("refused", _("refuses"))


def about(one: ImpactAssessment, request: HttpRequest) -> dict[str, Any]:
    """Return what stands above the report: its state, and what this reader may do with it."""
    code, text = state_of(one)
    approves = request.user.has_perm("crm.approve_impactassessment")
    return {
        "assessment": one,
        "state": {"code": code, "text": text},
        "may_approve": approves and code == "draft" and one.prepared_by_id != person_of(request).pk,
        "own_draft": approves and code == "draft" and one.prepared_by_id == person_of(request).pk,
        "may_withdraw": approves and code in {"valid", "refused"},
        "may_revise": one.is_approved and request.user.has_perm("crm.add_impactassessment"),
    }
