"""Entry codes: QR codes that say by which way a follower came, with what came of each."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.admin.wechat_parts import official_accounts, tried
from campaigns.models import Campaign, ChannelAccount, EntryCode
from campaigns.wechat import entry_codes
from campaigns.wechat.entry_codes import NoCode
from crm.admin.lists import ListAdmin, column, person_of

LABELS = {"lasting": "success", "works": "success", "ended": "danger"}


class CodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A code: for which account and scene, of which campaign, and what a newcomer is told."""

    account = forms.ModelChoiceField(ChannelAccount.objects.none(), label=_("Account"), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(label=_("What it is called"), max_length=120, widget=UnfoldAdminTextInputWidget)
    scene = forms.CharField(
        label=_("Scene"),
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Letters, digits, dots and dashes, as shop-7.window. Events of who comes by it carry it."),
    )
    campaign = forms.ModelChoiceField(
        Campaign.objects.none(), label=_("Campaign"), required=False, widget=UnfoldAdminSelectWidget
    )
    welcome = forms.CharField(
        label=_("Welcome text"),
        max_length=600,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Told to who comes by this code, within the minute that the platform allows."),
    )
    permanent = forms.BooleanField(
        label=_("For good"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Else it works for 30 days. An account has 100,000 codes for good."),
    )

    class Meta:
        model = EntryCode
        fields = ("account", "name", "scene", "campaign", "welcome", "permanent")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" in self.fields:
            self.fields["account"].queryset = official_accounts()  # type: ignore[attr-defined]
            self.fields["account"].initial = official_accounts().first()
        offered = Campaign.objects.exclude(kind=Campaign.Kind.IMPORTED).order_by("-pk")
        self.fields["campaign"].queryset = offered  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Have the platform make the code last of all, so that what it refuses is said where it was written."""
        told: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not self.instance.pk:
            try:
                self.made = entry_codes.create(**told, now=timezone.now())
            except NoCode as error:
                raise forms.ValidationError(str(error)) from error
        return told


@admin.register(EntryCode)
class EntryCodeAdmin(ListAdmin):
    """Codes, with how many scanned each and how many of them stayed."""

    form = CodeForm
    change_form_template = "zhiyin/wechat/code.html"
    list_display = ("name", "account", "scene", "campaign", "state", "scans", "follows")
    list_filter = (("account", RelatedDropdownFilter), ("campaign", RelatedDropdownFilter))
    list_select_related = ("account", "campaign")
    search_fields = ("name", "scene")
    ordering = ("-pk",)
    nothing_yet = _("A code on a shop's door says later which door people came by. Make one for each place.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/renew/", view(self.renew_view), name="campaigns_entrycode_renew"),
            path("<int:pk>/image/", view(self.image_view), name="campaigns_entrycode_image"),
            *super().get_urls(),
        ]

    @column(_("state"), label=LABELS)
    def state(self, one: EntryCode) -> tuple[str, Any]:
        if one.permanent:
            return "lasting", _("for good")
        if one.expires_at and one.expires_at > timezone.now():
            return "works", _("works")
        return "ended", _("ended")

    def get_fields(self, request: HttpRequest, obj: EntryCode | None = None) -> Any:
        # What is printed does not change: its scene stands in events for good.
        return CodeForm.Meta.fields if obj is None else ("name", "campaign", "welcome")

    def has_delete_permission(self, request: HttpRequest, obj: EntryCode | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: EntryCode, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["name", "campaign", "welcome"])
            return
        EntryCode.objects.filter(pk=form.made.pk).update(created_by=person_of(request))
        obj.pk, obj._state.adding = form.made.pk, False
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: EntryCode, post_url_continue: Any = None) -> HttpResponse:
        messages.success(request, gettext("The code is made. Print it, or show it on a page."))
        return redirect("admin:campaigns_entrycode_change", obj.pk)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        one = self.get_object(request, object_id)
        facts: dict[str, Any] = {}
        if isinstance(one, EntryCode):
            drawn = entry_codes.image(one).decode()
            facts = {"code": one, "drawn": mark_safe(drawn[drawn.index("<svg") :]), "state": self.state(one)}  # noqa: S308 (ours)
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))

    def image_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send the code as a drawing for a printer."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        one = get_object_or_404(EntryCode, pk=pk)
        answer = HttpResponse(entry_codes.image(one), content_type="image/svg+xml")
        answer["Content-Disposition"] = f'attachment; filename="{one.scene}.svg"'
        return answer

    @method_decorator(require_POST)
    def renew_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have the platform make the code anew, for another thirty days."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        one = get_object_or_404(EntryCode.objects.select_related("account"), pk=pk)
        said = gettext("It is another code now: print it anew.")
        tried(request, lambda: entry_codes.renew(one, timezone.now()), said, refused=NoCode)
        return redirect("admin:campaigns_entrycode_change", pk)
