"""Tags of official accounts: made, made to follow a segment, pushed, and read back from the platform."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from campaigns.admin.wechat_parts import official_accounts, tried
from campaigns.models import AccountTag, ChannelAccount, Segment
from campaigns.wechat import account_tags
from campaigns.wechat.account_tags import NoTag
from crm.admin.jobs import may_control
from crm.admin.lists import ListAdmin, column, person_of
from crm.models import JobRun

LABELS = {"follows": "success", "free": "default", "gone": "danger"}


class TagForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tag: of which account, how it is called, and which segment it follows."""

    account = forms.ModelChoiceField(ChannelAccount.objects.none(), label=_("Account"), widget=UnfoldAdminSelectWidget)
    segment = forms.ModelChoiceField(
        Segment.objects.none(),
        label=_("Segment"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=_("Its followers get the tag when it is pushed, and lose it when they do not belong any more."),
    )
    name = forms.CharField(
        label=_("What it is called"),
        max_length=30,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("10 Chinese characters at most."),
    )

    class Meta:
        model = AccountTag
        fields = ("account", "name", "segment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["account"]  # a tag stays where it is
        else:
            self.fields["account"].queryset = official_accounts()  # type: ignore[attr-defined]
            self.fields["account"].initial = official_accounts().first()
        self.fields["segment"].queryset = Segment.objects.offered().order_by("name")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Make or rename the tag at the platform last of all: what it refuses is said where it was written."""
        told: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and not self.instance.pk:
            try:
                self.made = account_tags.create(told["account"], told["name"], told["segment"], timezone.now())
            except NoTag as error:
                raise forms.ValidationError(str(error)) from error
        elif not self.errors and told["name"] != AccountTag.objects.get(pk=self.instance.pk).name:
            try:
                account_tags.rename(AccountTag.objects.get(pk=self.instance.pk), told["name"], timezone.now())
            except NoTag as error:
                raise forms.ValidationError(str(error)) from error
        return told


@admin.register(AccountTag)
class AccountTagAdmin(ListAdmin):
    """Tags; those that are gone at the platform stay for what was sent by them."""

    form = TagForm
    change_list_template = "zhiyin/wechat/tags.html"
    change_form_template = "zhiyin/wechat/tag.html"
    list_display = ("name", "account", "state", "segment", "people", "pushed_at", "synced_at")
    list_filter = (("account", RelatedDropdownFilter),)
    list_select_related = ("account", "segment")
    search_fields = ("name",)
    ordering = ("account", "name")
    nothing_yet = _("Tags are groups that the platform knows: read them, or make one that follows a segment.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("read/<int:pk>/", view(self.read_view), name="campaigns_accounttag_read"),
            path("<int:pk>/push/", view(self.push_view), name="campaigns_accounttag_push"),
            *super().get_urls(),
        ]

    @column(_("state"), label=LABELS)
    def state(self, one: AccountTag) -> tuple[str, Any]:
        if one.gone_at:
            return "gone", _("gone at the platform")
        return ("follows", _("follows a segment")) if one.segment_id else ("free", _("by hand"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountTag]:
        rows: QuerySet[AccountTag] = super().get_queryset(request)
        return rows

    def get_fields(self, request: HttpRequest, obj: AccountTag | None = None) -> Any:
        return ("account", "name", "segment") if obj is None else ("name", "segment")

    def has_delete_permission(self, request: HttpRequest, obj: AccountTag | None = None) -> bool:
        return False  # a campaign may be sending by it

    def save_model(self, request: HttpRequest, obj: AccountTag, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["segment"])
            return
        obj.pk, obj._state.adding = form.made.pk, False
        obj.refresh_from_db()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        houses = [{"account": one, "slots": account_tags.slots(one)} for one in official_accounts()]
        context = {"houses": houses, "may_change": self.has_change_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        one = self.get_object(request, object_id)
        facts: dict[str, Any] = {}
        if isinstance(one, AccountTag):
            facts = {"tag": one, "now": timezone.now(), "may_control": may_control(request)}
            facts["job"] = JobRun.objects.filter(kind=account_tags.KIND, parameters__tag=one.pk).last()
            if one.segment and not one.gone_at:
                come, gone = account_tags.difference(one, timezone.now())
                facts |= {"come": len(come), "gone": len(gone)}
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))

    @method_decorator(require_POST)
    def read_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Read an account's tags and who bears them."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        account = get_object_or_404(official_accounts(), pk=pk)
        found: list[int] = []

        def read() -> None:
            found.append(account_tags.read(account, timezone.now()))

        if tried(request, read, gettext("The tags were read."), refused=NoTag):
            said = ngettext("%(count)d tag stands.", "%(count)d tags stand.", found[0])
            messages.info(request, said % {"count": found[0]})
        return redirect("admin:campaigns_accounttag_changelist")

    @method_decorator(require_POST)
    def push_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have a worker tell the platform who came to the tag's segment and who left."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        one = get_object_or_404(AccountTag.objects.select_related("segment"), pk=pk)
        try:
            account_tags.order(one, person_of(request), timezone.now())
        except NoTag as error:
            messages.error(request, str(error))
        return redirect("admin:campaigns_accounttag_change", pk)
