"""Segments: the list, the visual builder with its live count, members masked, versions, and who depends on it."""

from typing import Any

import orjson
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns import counting, lists, planner, reachable, rules, segments, sentences
from campaigns.admin.segment_words import catalogue
from campaigns.models import Segment, SegmentSnapshot
from campaigns.rules import RuleError
from campaigns.statements import OutOfTime
from crm.addresses import ADDRESSES
from crm.admin.lists import ListAdmin, column, person_of
from crm.models import Profile, Purpose

LARGEST_RULE = 200_000  # bytes
SHOWN = 10
COLUMNS = ("name", "description")


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name and rule; the rule is JSON that the builder writes."""

    rule = forms.CharField(required=False, max_length=LARGEST_RULE, widget=forms.HiddenInput, label="")

    class Meta:
        model = Segment
        fields = ("name", "description", "kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = self.instance.current if self.instance.pk else None
        self.initial["rule"] = orjson.dumps(current.rule if current else {"all": []}).decode()
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
        view = self.admin_site.admin_view
        return [
            path("preview/", view(self.preview_view), name="campaigns_segment_preview"),
            path("<int:pk>/archive/", view(self.archive_view), name="campaigns_segment_archive"),
            *super().get_urls(),
        ]

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
        facts: dict[str, Any] = {"catalogue": catalogue(one.pk if one else None)}
        if isinstance(one, Segment):
            facts |= {
                "segment": one,
                "use": segments.used_by(one),
                "versions": _versions(one),
                "snapshots": one.snapshots.order_by("-taken_at")[:SHOWN],
                "size": lists.size(one) if one.kind == Segment.Kind.LIST else None,
            }
        try:
            return super().changeform_view(request, object_id, form_url, facts | (extra_context or {}))
        except RuleError as error:  # it names itself through another one, seen when it is saved
            messages.error(request, str(error))
            return redirect(request.get_full_path())

    @method_decorator(require_POST)
    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Answer what the rule means as it stands: its count, its sentence; asked for more, members and reach."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return TemplateResponse(request, "zhiyin/segment/preview.html", _preview(request))

    @method_decorator(require_POST)
    def archive_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Offer it for no new campaign any more, or again."""
        if not request.user.has_perm("campaigns.change_segment"):
            raise PermissionDenied
        one = get_object_or_404(Segment, pk=pk)
        if Segment.objects.filter(pk=pk, archived_at=None).update(archived_at=timezone.now()):
            self.log_change(request, one, "Archived.")
        else:
            Segment.objects.filter(pk=pk).update(archived_at=None)
            self.log_change(request, one, "Offered again.")
        return redirect("admin:campaigns_segment_change", pk)


def _preview(request: HttpRequest) -> dict[str, Any]:
    told, now = request.POST.get("rule", ""), timezone.now()
    if len(told) > LARGEST_RULE:
        return {"problem": gettext("the rule is too large"), "path": ""}
    try:
        rule = rules.parse(orjson.loads(told))
        shown: dict[str, Any] = {"count": counting.count(rule, now), "sentence": sentences.sentence(rule)}
        if "more" in request.POST:
            people = Profile.objects.filter(pk__in=counting.some(rule, now, SHOWN)).order_by("pk")
            purpose = Purpose.objects.filter(kind=Purpose.Kind.MARKETING).order_by("pk").first()
            ways = reachable.reachable(rule, list(ADDRESSES), purpose, now) if purpose else []
            shown |= {
                "people": people,
                "purpose": purpose,
                "ways": [(one.channel, one.people, planner.words_of(one.reasons)) for one in ways if one.channel],
            }
    except orjson.JSONDecodeError:
        return {"problem": gettext("This is no JSON."), "path": ""}
    except RuleError as error:
        return {"problem": error.reason, "path": error.path}
    except OutOfTime:
        return {"problem": gettext("It took too long to count. Try again later."), "path": ""}
    return shown


def _versions(one: Segment) -> list[tuple[Any, str]]:
    """Return the versions with what each says, the newest first."""
    return [
        (version, _said(version.rule)) for version in one.versions.select_related("made_by").order_by("-number")[:SHOWN]
    ]


def _said(rule: object) -> str:
    try:
        return sentences.sentence(rules.parse(rule))
    except RuleError as error:  # written by an earlier release
        return str(error)
