"""Moments: posts that staff are asked to publish."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from campaigns.admin.wecom_parts import account_field, need, tried
from campaigns.models import Moment, Picture, Staff
from campaigns.wechat import staff_moments
from campaigns.wechat.staff_moments import NoMoment
from crm.admin.again import AsksAgain, ask_again
from crm.admin.lists import ListAdmin, column, person_of

PROVIDER = "wecom"
LABELS = {"draft": "info", "waiting": "primary", "over": "success", "failed": "danger", "unknown": "warning"}


class MomentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A post, and who of the staff is asked to publish it."""

    account = account_field(PROVIDER)
    text = forms.CharField(
        label=_("Text"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
        help_text=_("2,000 bytes; a Chinese character has three."),
    )  # fmt: skip
    pictures = forms.ModelMultipleChoiceField(
        Picture.objects.none(), label=_("Pictures"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Nine at most; or a link."),
    )  # fmt: skip
    link_title = forms.CharField(
        label=_("Title of a link below it"), max_length=64, required=False, widget=UnfoldAdminTextInputWidget
    )
    link_url = forms.URLField(
        label=_("Address of the link"), max_length=500, required=False, assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
    )  # fmt: skip
    staff = forms.ModelMultipleChoiceField(
        Staff.objects.none(), label=_("Staff"), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Nobody chosen: all of them are asked."),
    )  # fmt: skip

    class Meta:
        model = Moment
        fields = ("account", "text", "pictures", "link_title", "link_url", "staff")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "pictures" in self.fields:
            rows = Picture.objects.defer("content").order_by("-pk")
            self.fields["pictures"].queryset = rows  # type: ignore[attr-defined]
        if "staff" in self.fields:
            self.fields["staff"].queryset = Staff.objects.filter(active=True).order_by("account", "userid")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or self.cleaned_data
        moment = Moment(link_title=told.get("link_title", ""), link_url=told.get("link_url", ""))
        try:
            staff_moments.check(moment, len(told.get("pictures") or ()))
        except NoMoment as error:
            raise forms.ValidationError(str(error)) from error
        return told


@admin.register(Moment)
class MomentAdmin(AsksAgain, ListAdmin):
    """Posts for staff to publish: written by one, handed over by another."""

    form = MomentForm
    change_form_template = "zhiyin/wechat/moment.html"
    list_display = ("shown_text", "account", "state", "asked_staff", "publishers", "created_by", "created_at")
    list_filter = (("account", RelatedDropdownFilter), ("status", ChoicesDropdownFilter))
    list_select_related = ("account", "created_by")
    ordering = ("-created_at",)
    nothing_yet = _("Staff are asked to publish what is written here; each decides, and who did stands beside it.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.hand_over_view)
        return [path("<int:pk>/hand-over/", view, name="campaigns_moment_hand_over"), *super().get_urls()]

    @column(_("text"), ordering="text")
    def shown_text(self, one: Moment) -> str:
        return str(one)

    @column(_("staff asked"), ordering="asked")
    def asked_staff(self, one: Moment) -> int:
        return one.asked

    @column(_("of them have published"), ordering="published")
    def publishers(self, one: Moment) -> int:
        return one.published

    @column(_("status"), ordering="status", label=LABELS)
    def state(self, one: Moment) -> tuple[str, Any]:
        return one.status, one.get_status_display()

    def has_change_permission(self, request: HttpRequest, obj: Moment | None = None) -> bool:
        """What was handed over does not change any more."""
        still = obj is None or obj.status == Moment.Status.DRAFT
        return still and bool(super().has_change_permission(request, obj))

    def get_fields(self, request: HttpRequest, obj: Moment | None = None) -> Any:
        draft = obj is None or obj.status == Moment.Status.DRAFT
        return MomentForm.Meta.fields if draft else [name for name in MomentForm.Meta.fields if name != "staff"]

    def has_delete_permission(self, request: HttpRequest, obj: Moment | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Moment, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = timezone.now()
        obj.created_by = person_of(request)  # whoever wrote it last
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Moment, post_url_continue: Any = None) -> HttpResponse:
        return redirect("admin:campaigns_moment_change", obj.pk)

    def facts_of(self, request: HttpRequest, one: Moment) -> Mapping[str, Any]:
        may = request.user.has_perm("campaigns.approve_campaign") and one.status == Moment.Status.DRAFT
        facts = {"moment": one, "may_hand_over": may, "own": one.created_by_id == request.user.pk}
        return facts | {"tasks": one.tasks.select_related("staff")}

    @method_decorator(require_POST)
    def hand_over_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give it to the platform, which asks the staff."""
        need(request, "campaigns.approve_campaign")
        ask_again(request)
        one, by = get_object_or_404(Moment, pk=pk), person_of(request)
        done = gettext("It is handed over: the staff are asked to publish it.")
        if tried(request, lambda: staff_moments.hand_over(one, by, timezone.now()), done, NoMoment):
            self.log_change(request, one, "Handed over.")
        return redirect("admin:campaigns_moment_change", pk)
