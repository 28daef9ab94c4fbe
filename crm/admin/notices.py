"""Notices in the admin: a draft in both languages, its preview and what it changes, and then published for good."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from crm import notice_drafts, notices
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.models import Notice, Purpose
from crm.models.purposes import in_language
from crm.notice_content import LONGEST_TEXT, NEEDED_TEXTS, flaws
from crm.preferences.shown import LANGUAGES, shown

TITLES = {"en": "English", "zh-hans": "简体中文"}
LABELS = {"title": _("Title"), "body": _("What people are told"), "withdraw": _("How to take it back")}
ADD, CHANGE = "crm.add_notice", "crm.change_notice"


class CodeForm(forms.Form):
    """Which notice a new draft is of."""

    code = forms.CharField(max_length=64, validators=[RegexValidator(r"^[a-z0-9][a-z0-9_.-]*$")])


class DraftForm(forms.Form):
    """A draft: its texts in both languages, and a row for each purpose that it tells of."""

    is_material = forms.BooleanField(required=False)

    def __init__(self, notice: Notice, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.notice, self.purposes = notice, list(Purpose.objects.active().order_by("pk"))
        held = {item["purpose"]: item for item in notice.items}
        for language in LANGUAGES:
            for name in NEEDED_TEXTS:
                said = notice.texts.get(language, {}).get(name, "")
                self.fields[f"{name}.{language}"] = forms.CharField(
                    required=False, max_length=LONGEST_TEXT, initial=said, label=LABELS[name]
                )
        for purpose in self.purposes:
            item = held.get(purpose.code, {})
            for name in ("data_types", "recipients"):
                given = ", ".join(item.get(name, []))
                self.fields[f"{name}.{purpose.code}"] = forms.CharField(required=False, max_length=1000, initial=given)
            self.fields[f"days.{purpose.code}"] = forms.IntegerField(
                required=False, min_value=1, max_value=36_500, initial=item.get("retention_days")
            )

    @property
    def languages(self) -> list[tuple[str, str, list[Any]]]:
        return [(code, TITLES[code], [self[f"{name}.{code}"] for name in NEEDED_TEXTS]) for code in LANGUAGES]

    @property
    def rows(self) -> list[tuple[Purpose, Any, Any, Any]]:
        return [
            (one, self[f"data_types.{one.code}"], self[f"recipients.{one.code}"], self[f"days.{one.code}"])
            for one in self.purposes
        ]

    def save(self) -> Notice:
        told = self.cleaned_data
        self.notice.is_material = told["is_material"]
        self.notice.texts = {
            language: said
            for language in LANGUAGES
            if any((said := {name: told[f"{name}.{language}"] for name in NEEDED_TEXTS}).values())
        }
        self.notice.items = [
            {
                "purpose": one.code,
                "data_types": types,
                "recipients": _listed(told[f"recipients.{one.code}"]),
                "retention_days": told[f"days.{one.code}"] or 0,
            }
            for one in self.purposes
            if (types := _listed(told[f"data_types.{one.code}"]))
        ]
        self.notice.save()
        return self.notice


def _listed(text: str) -> list[str]:
    return [part for raw in text.replace("，", ",").replace("、", ",").split(",") if (part := raw.strip())]


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Notices; a draft can be changed by its own form, a published version by nobody."""

    change_form_template = "zhiyin/consent/notice.html"
    change_list_template = "zhiyin/consent/notices.html"
    list_display = ("title", "status_label", "material", "languages", "published_at", "published_by")
    list_filter = ("is_material",)
    search_fields = ("code",)
    ordering = ("code", "-version")
    list_select_related = ("published_by",)

    nothing_yet = _("What people are told before they are asked: no consent can be recorded without a published one.")

    def title_of(self, obj: Notice) -> str:
        return obj.reference

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.has_perm(ADD))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        drafting = obj is None or obj.published_at is None
        return drafting and bool(request.user.has_perm(CHANGE))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.publish_view)
        return [path("<int:pk>/publish/", view, name="crm_notice_publish"), *super().get_urls()]

    @column(_("notice"), ordering="code", header=True)
    def title(self, notice: Notice) -> list[str]:
        titles = {language: str(said.get("title", "")) for language, said in notice.texts.items()}
        return [in_language(titles) or notice.code, notice.reference]

    @column(_("status"), ordering="published_at", label={"draft": "warning", "published": "success"})
    def status_label(self, notice: Notice) -> tuple[str, str]:
        if notice.published_at:
            return "published", pgettext("notice", "published")
        return "draft", gettext("draft")

    @column(_("material"), boolean=True, ordering="is_material")
    def material(self, notice: Notice) -> bool:
        return notice.is_material

    @column(_("languages"))
    def languages(self, notice: Notice) -> str:
        return " · ".join(TITLES.get(code, code) for code in notice.texts)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Begin a draft of the next version of a notice, new or known."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CodeForm(request.POST or None, initial={"code": request.GET.get("code", "")})
        if request.method == "POST" and form.is_valid():
            return redirect("admin:crm_notice_change", notice_drafts.draft(form.cleaned_data["code"]).pk)
        known = Notice.objects.order_by("code").values_list("code", flat=True).distinct()
        context = {**self.admin_site.each_context(request), "title": _("Draft a notice"), "form": form, "known": known}
        return TemplateResponse(request, "zhiyin/consent/notice_new.html", context | {"opts": self.opts})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        notice = self.get_object(request, object_id)
        if notice is None or not self.has_view_permission(request, notice):
            return super().change_view(request, object_id, form_url, extra_context)
        drafting = self.has_change_permission(request, notice)
        form = None
        if drafting:
            posted = request.POST if request.method == "POST" else None
            form = DraftForm(notice, posted, initial={"is_material": notice.is_material})
            if posted is not None and form.is_valid():
                form.save()
                messages.success(request, gettext("The draft is kept. Nobody sees it until it is published."))
                return redirect("admin:crm_notice_change", notice.pk)
        elif request.method == "POST":
            raise PermissionDenied
        context = (extra_context or {}) | about(notice) | {"form": form, "may_publish": request.user.has_perm(CHANGE)}
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "title": notice.reference}
        return TemplateResponse(request, self.change_form_template, context)

    @method_decorator(require_POST)
    def publish_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Publish a draft; what is missing is said."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        notice = get_object_or_404(Notice, pk=pk)
        missing = missing_of(notice)
        try:
            if missing:
                messages.error(request, " ".join(missing))
            elif notices.publish(notice, now=timezone.now(), user=person_of(request)):
                self.log_change(request, notice, "Published.")
                messages.success(request, gettext("Published. From now on this version stays as it is."))
        except notices.NoticeRefused as refused:
            messages.error(request, str(refused))
        return redirect("admin:crm_notice_change", pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        rows: QuerySet[Notice] = super().get_queryset(request)
        return rows


def about(notice: Notice) -> dict[str, Any]:
    """Return what the page shows of a version: how people will see it in both languages, and what it changes."""
    purposes = list(Purpose.objects.filter(code__in=notice.purposes).order_by("pk"))
    return {
        "notice": notice,
        "previews": [
            (language, TITLES[language], [shown(purpose, notice, "", language) for purpose in purposes])
            for language in LANGUAGES
        ],
        "before": notice_drafts.before(notice),
        "changes": [
            (language, TITLES[language], notice_drafts.changes(notice, language))
            for language in LANGUAGES
            if notice.texts.get(language)
        ],
        "missing": [] if notice.published_at else missing_of(notice),
    }


def missing_of(notice: Notice) -> list[str]:
    """Return what a draft lacks before it can be published: among others, a text in either language."""
    return [reason for reasons in flaws(notice.items, notice.texts, LANGUAGES).values() for reason in reasons]
