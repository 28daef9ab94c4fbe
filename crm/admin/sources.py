"""Where events come from, and the keys with which they may be sent."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm.admin.again import ask_again
from crm.admin.lists import ListAdmin, column
from crm.models import Source

LABELS = {"server": "info", "browser": "warning", "import": "success", "system": "default"}


@admin.register(Source)
class SourceAdmin(ListAdmin):
    """Sources. A write key is shown once, when it is made, and stored as a hash."""

    change_form_template = "zhiyin/source/change_form.html"
    list_display = ("name", "kind_label", "key", "is_active", "created_at")
    list_filter = (("kind", ChoicesDropdownFilter), "is_active")
    search_fields = ("name",)
    fields = ("name", "kind", "is_active")
    ordering = ("name",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.renew_view)
        return [path("<int:pk>/renew/", view, name="crm_source_renew"), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        return False  # its events name it: a source that is gone is switched off

    @column(_("kind"), ordering="kind", label=LABELS)
    def kind_label(self, source: Source) -> tuple[str, Any]:
        return source.kind, source.get_kind_display()

    @column(_("write key"))
    def key(self, source: Source) -> str:
        return f"{source.write_key_hint}…" if source.write_key_hint else "–"

    @method_decorator(require_POST)
    def renew_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a new write key and show it: the only moment it can be seen."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        ask_again(request)
        source = get_object_or_404(Source, pk=pk)
        replaced = bool(source.write_key_hint)
        write_key = source.renew_key()
        self.log_change(request, source, "A new write key was made.")
        context = self.admin_site.each_context(request) | {
            "title": source.name,
            "source": source,
            "write_key": write_key,
            "replaced": replaced,
            "opts": Source._meta,
        }
        answer = TemplateResponse(request, "zhiyin/source/key.html", context)
        patch_cache_control(answer, no_store=True)
        return answer
