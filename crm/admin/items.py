"""What is shown or sold."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm.admin.lists import ListAdmin, column
from crm.models import Item


@admin.register(Item)
class ItemAdmin(ListAdmin):
    """Items; found by code, exactly, or by a category."""

    change_form_template = "zhiyin/item/change_form.html"
    list_display = ("title_and_code", "kind", "path", "brand", "price", "available_from", "available_to")
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("=code", "categories__contains")
    search_help_text = _("Code or category, exactly")
    ordering = ("-id",)
    readonly_fields = ("created_at", "updated_at")
    fieldsets = (
        (None, {"fields": (("kind", "code"), "title", "body", "categories", "brand", ("price", "currency"))}),
        (_("Availability"), {"fields": (("available_from", "available_to"),)}),
        (_("More"), {"fields": ("attributes", ("created_at", "updated_at"))}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        codes = Item.objects.filter(kind__in=Item.Kind.values, code=term).values("pk")
        return queryset.filter(pk__in=codes) | queryset.filter(categories__contains=[term]), False

    def has_delete_permission(self, request: HttpRequest, obj: Item | None = None) -> bool:
        return False  # events name it; an item that is gone gets an "available to"

    def save_model(self, request: HttpRequest, obj: Item, form: Any, change: bool) -> None:
        now = timezone.now()
        if not change:
            obj.created_at = now
        obj.updated_at = now
        super().save_model(request, obj, form, change)

    @column(_("item"), ordering="title", header=True)
    def title_and_code(self, item: Item) -> list[str]:
        return [item.title or item.code, item.code if item.title not in {"", item.code} else ""]

    @column(_("categories"))
    def path(self, item: Item) -> str:
        return " › ".join(item.categories) or "–"
