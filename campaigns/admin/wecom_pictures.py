"""Pictures that hang below welcomes, tasks for staff and moments: given here once, seen, and never changed."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextInputWidget

from campaigns.admin.wecom_parts import need
from campaigns.models import Picture
from campaigns.wechat import pictures
from campaigns.wechat.pictures import NoPicture
from crm.admin.lists import ListAdmin, column, person_of


class PictureForm(forms.ModelForm):  # type: ignore[type-arg]
    """A file, and what it is called here."""

    name = forms.CharField(label=capfirst(_("name")), max_length=120, widget=UnfoldAdminTextInputWidget)
    file = forms.FileField(
        label=_("File"), widget=UnfoldAdminFileFieldWidget, help_text=_("JPG or PNG, at most 10 MB.")
    )

    class Meta:
        model = Picture
        fields = ("name",)

    def clean_file(self) -> bytes:
        content: bytes = self.cleaned_data["file"].read(pictures.LARGEST + 1)
        try:
            pictures.check(content)
        except NoPicture as error:
            raise forms.ValidationError(str(error)) from error
        return content


@admin.register(Picture)
class PictureAdmin(ListAdmin):
    """Pictures for WeCom; the number of each is what a template names."""

    form = PictureForm
    fields = ("name", "file")
    change_form_template = "zhiyin/wechat/picture.html"
    list_display = ("number", "name", "kind", "megabytes", "lies_at", "created_by", "created_at")
    list_display_links = ("number", "name")
    list_select_related = ("created_by",)
    search_fields = ("name",)
    ordering = ("-created_at",)
    nothing_yet = _("Pictures below welcomes, tasks for staff and moments are given here; WeCom gets them when needed.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.file_view)
        return [path("<int:pk>/file/", view, name="campaigns_picture_file"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Picture]:
        rows: QuerySet[Picture] = super().get_queryset(request)
        return rows.defer("content").annotate(of_uploads=Count("uploads"))

    @column(_("number"), ordering="pk")
    def number(self, one: Picture) -> str:
        return str(one.pk)

    @column(_("size"), ordering="size")
    def megabytes(self, one: Picture) -> str:
        return f"{one.size / 2**20:.2f} MB"

    @column(_("lies at the platform"), ordering="of_uploads")
    def lies_at(self, one: Any) -> str:
        return f"{one.of_uploads}×" if one.of_uploads else "–"

    def get_fields(self, request: HttpRequest, obj: Picture | None = None) -> Any:
        return self.fields if obj is None else ("name",)

    def has_change_permission(self, request: HttpRequest, obj: Picture | None = None) -> bool:
        return False  # what was sent with it does not change

    def has_delete_permission(self, request: HttpRequest, obj: Picture | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Picture, form: Any, change: bool) -> None:
        told = form.cleaned_data
        made = pictures.keep(told["name"], told["file"], person_of(request), timezone.now())
        obj.pk, obj._state.adding = made.pk, False

    def response_add(self, request: HttpRequest, obj: Picture, post_url_continue: Any = None) -> HttpResponse:
        return redirect("admin:campaigns_picture_change", obj.pk)

    def facts_of(self, request: HttpRequest, one: Picture) -> Mapping[str, Any]:
        return {"picture": one, "uploads": one.uploads.select_related("account").order_by("account", "use")}

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give the picture itself."""
        need(request, "campaigns.view_picture")
        one = get_object_or_404(Picture, pk=pk)
        return HttpResponse(bytes(one.content), content_type=one.kind, headers={"X-Content-Type-Options": "nosniff"})
