"""Segments: the list, the visual builder with its live count, versions, snapshots, files of lists, and who depends."""

from collections.abc import Callable
from typing import Any

import orjson
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns import rules
from campaigns.admin import segment_files, segment_history, segment_preview
from campaigns.admin.segment_preview import LARGEST_RULE, PEOPLE
from campaigns.admin.segment_words import catalogue
from campaigns.models import Segment, SegmentSnapshot
from campaigns.rules import RuleError
from campaigns.segmenting import lists, segments
from crm.admin.lists import ListAdmin, column, person_of
from crm.models import Purpose

COLUMNS = ("name", "description")
CHANGE = "campaigns.change_segment"


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name and rule; the rule is JSON that the builder writes."""

    rule = forms.CharField(required=False, max_length=LARGEST_RULE, widget=forms.HiddenInput, label="")

    class Meta:
        model = Segment
        fields = ("name", "description", "kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = self.instance.current if self.instance.pk else None
        begun = None if self.instance.pk else _rule_asked_for(self.initial.get("rule"))
        self.initial["rule"] = orjson.dumps(current.rule if current else begun or {"all": []}).decode()
        if self.instance.pk and "kind" in self.fields:
            self.fields["kind"].disabled = True  # a list does not become a rule

    def clean_rule(self) -> Any:
        try:
            told = orjson.loads(self.cleaned_data["rule"] or b'{"all": []}')
            rules.parse(told)
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(gettext("This is no JSON.")) from error
        except RuleError as error:
            raise forms.ValidationError(str(error)) from error
        return told


def _rule_asked_for(told: Any) -> Any:
    """Return the rule that a link to a new segment brings; ``None`` for whatever is no rule."""
    try:
        rule = orjson.loads(told) if isinstance(told, str) and len(told) <= LARGEST_RULE else None
        if rule is not None:
            rules.parse(rule)
    except (orjson.JSONDecodeError, RuleError):
        return None
    return rule


@admin.register(Segment)
class SegmentAdmin(ListAdmin):
    """Groups of people, by rule or by list."""

    form = SegmentForm
    change_form_template = "zhiyin/segment/change_form.html"
    fieldsets = ((None, {"fields": (("name", "kind"), "description", "rule")}),)
    list_display = ("name", "kind", "people", "used", "version", "created_by", "created_at")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("current", "created_by")
    search_fields = ("name",)
    ordering = ("name",)

    nothing_yet = _("A segment is a group of people that a rule describes or a list names. Campaigns are made for one.")

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponseBase], str]] = [
            ("preview/", segment_preview.preview_view, "preview"),
            ("people/", segment_preview.people_view, "people"),
            ("reachable/", segment_preview.reachable_view, "reachable"),
            ("overlap/", segment_preview.overlap_view, "overlap"),
            ("exact/", segment_preview.exact_view, "exact"),
            ("exact/<int:pk>/", segment_preview.counted_view, "counted"),
            ("snapshots/<int:pk>/", segment_history.snapshot_view, "snapshot"),
            ("<int:pk>/snapshots/", segment_history.take_view, "take"),
            ("<int:pk>/files/", segment_files.upload_view, "upload"),
            ("<int:pk>/files/state/", segment_files.state_view, "uploads"),
            ("files/<int:pk>/", segment_files.unknown_view, "unknown"),
            ("<int:pk>/archive/", self.archive_view, "archive"),
        ]
        view = self.admin_site.admin_view
        paths = [path(route, view(answer), name=f"campaigns_segment_{name}") for route, answer, name in own]
        return [*paths, *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> Any:
        may_count = request.user.has_perm(PEOPLE)
        return [name for name in self.list_display if name != "people" or may_count]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        rows: QuerySet[Segment] = super().get_queryset(request)
        last = SegmentSnapshot.objects.filter(segment=OuterRef("pk")).order_by("-taken_at").values("size")[:1]
        return rows.annotate(last_size=Subquery(last), of_campaigns=Count("campaigns", distinct=True))

    @column(_("people"), ordering="last_size")
    def people(self, one: Any) -> str:
        return "–" if one.last_size is None else f"{one.last_size:,}"

    @column(_("campaigns"), ordering="of_campaigns")
    def used(self, one: Any) -> int:
        return int(one.of_campaigns)

    @column(_("version"))
    def version(self, one: Segment) -> str:
        return f"v{one.current.number}" if one.current and one.kind == Segment.Kind.RULE else "–"

    def has_delete_permission(self, request: HttpRequest, obj: Segment | None = None) -> bool:
        return False  # runs name its versions: it is archived

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        now, by = timezone.now(), person_of(request)
        if not change and obj.kind == Segment.Kind.LIST:
            made = lists.create(obj.name, by, now, obj.description)
            obj.pk, obj.current, obj.created_at = made.pk, made.current, now
            return
        if change:
            obj.save(update_fields=COLUMNS)
        else:
            obj.created_at, obj.created_by = now, by
            super().save_model(request, obj, form, change)
        if obj.kind == Segment.Kind.RULE:
            segments.save(obj, form.cleaned_data["rule"], by, now)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        one = self.get_object(request, object_id) if object_id else None
        told = catalogue(one.pk if one else None)
        facts: dict[str, Any] = {
            "catalogue": told,
            "others": told["segments"],
            "may_change": request.user.has_perm(CHANGE if one else "campaigns.add_segment"),
            "may_count": request.user.has_perm(PEOPLE),
            "usual": Purpose.objects.filter(kind=Purpose.Kind.MARKETING).values_list("code", flat=True).first(),
        }
        if isinstance(one, Segment):
            facts |= {"segment": one, "use": segments.used_by(one), **segment_history.about(one)}
            if one.kind == Segment.Kind.LIST:
                facts |= {"size": lists.size(one), "types": segment_files.TYPES, **segment_files.about(one)}
        try:
            return super().changeform_view(request, object_id, form_url, facts | (extra_context or {}))
        except RuleError as error:  # it names itself through another one, seen when it is saved
            messages.error(request, str(error))
            return redirect(request.get_full_path())

    @method_decorator(require_POST)
    def archive_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Offer it for no new campaign any more, or again."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        one = get_object_or_404(Segment, pk=pk)
        if Segment.objects.filter(pk=pk, archived_at=None).update(archived_at=timezone.now()):
            self.log_change(request, one, "Archived.")
        else:
            Segment.objects.filter(pk=pk).update(archived_at=None)
            self.log_change(request, one, "Offered again.")
        return redirect("admin:campaigns_segment_change", pk)
