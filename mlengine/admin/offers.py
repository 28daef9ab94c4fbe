"""Recommendations in a marketer's hands: rules, a person's lists, what is needed again, what goes together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import orjson
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm import merged, profiling
from crm.admin.lists import ListAdmin, column
from crm.models import Item, Profile
from crm.privacy import masked_name
from mlengine import online, recommending
from mlengine.admin import private
from mlengine.admin.words import because, spec_title
from mlengine.because import titled
from mlengine.models import ItemLink, PredictionRun, Recommendation, Repurchase
from mlengine.recommending import Answer
from mlengine.shelf import Candidate
from mlengine.shop_rules import RecommendationRule

SHOWN, TO_TRY = 10, 6
SEES = ("mlengine.view_recommendation", "crm.view_profile")
SOURCES = {
    "model": _("the model"),
    "session": _("what they do now"),
    "popular": _("popular"),
    "new": _("new item"),
}
BASES = {
    "personal": _("what the model knows of this person"),
    "session": _("only what this person does right now: the model has nothing yet"),
    "popular": _("what is popular: nothing is known of this person, or personalisation is off"),
    "none": _("nothing: no model serves yet"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One item of a list, with why in words."""

    item: Item
    share: int  # of the strongest, in percent
    source: Any
    why: str
    rule: str = ""


@admin.register(RecommendationRule)
class RecommendationRuleAdmin(ListAdmin):
    """What marketing decides about recommendations; from here a person's lists can be tried."""

    change_list_template = "zhiyin/recommend/rules.html"
    list_display = ("name", "does", "about", "limits", "is_active", "changed_at")
    list_filter = (("does", ChoicesDropdownFilter), "is_active")
    ordering = ("pk",)
    fieldsets = (
        (None, {"fields": (("name", "does"), "is_active")}),
        (_("About which items"), {"fields": (("category", "brand"), "codes")}),
        (_("How much"), {"fields": (("least", "most"), ("days", "strength"))}),
    )
    nothing_yet = _("No rule yet: whatever the models recommend and is available is shown.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("preview/", view(self.preview_view), name="mlengine_recommendation_preview"),
            path("due/", view(self.due_view), name="mlengine_repurchase_due"),
            *super().get_urls(),
        ]

    @column(_("items"))
    def about(self, rule: RecommendationRule) -> str:
        parts = [part for part in (rule.category, rule.brand, ", ".join(rule.codes[:5])) if part]
        return " · ".join(parts) or gettext("all items")

    @column(_("limits"))
    def limits(self, rule: RecommendationRule) -> str:
        told = (("≥ ", rule.least), ("≤ ", rule.most), (f"{gettext('days')}: ", rule.days), ("", rule.strength))
        return ", ".join(f"{sign}{value:g}" for sign, value in told if value is not None) or "–"

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what one person would be recommended now, why, and what the rules took out."""
        if not request.user.has_perms(SEES):
            raise PermissionDenied
        asked, now = request.GET.get("person", "").strip(), timezone.now()
        found = merged.person(int(asked)) if asked.isdecimal() and len(asked) <= 18 else None
        facts: dict[str, Any] = {"asked": asked, "unknown": bool(asked) and found is None, "to_try": _to_try(now)}
        if found is not None and not found.restricted:
            facts |= _preview(found, request.user, now)
        return self._page(request, "zhiyin/recommend/preview.html", _("What would they be recommended?"), facts)

    def due_view(self, request: HttpRequest) -> HttpResponse:
        """Show how many people will likely want what again soon."""
        if not request.user.has_perms(("mlengine.view_repurchase", "crm.view_profile")):
            raise PermissionDenied
        may_make = request.user.has_perm("campaigns.add_segment")
        facts = due(PredictionRun.objects.latest_finished("repurchase")) | {"may_make": may_make}
        return self._page(request, "zhiyin/recommend/due.html", _("What is needed again soon"), facts)

    def _page(self, request: HttpRequest, template: str, title: Any, facts: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **facts}
        return TemplateResponse(request, template, context)


def _preview(person: merged.Person, user: Any, now: datetime) -> dict[str, Any]:
    profile = Profile.objects.get(pk=person.id)
    began = perf_counter()
    answer = recommending.answer(person.profile_ids, person.id, SHOWN, now)
    took = (perf_counter() - began) * 1000
    discovery = recommending.answer(person.profile_ids, person.id, SHOWN, now, "discovery")
    return {
        "profile": profile,
        "name": masked_name(profile.name) or str(profile),
        "answer": answer,
        "basis": BASES[answer.basis],
        "milliseconds": took,
        "lines": lines(answer.shown, answer.titles),
        "left": _left(answer),
        "discovery": lines(discovery.shown, discovery.titles) if discovery.basis == "personal" else [],
        "session": _seen(answer),
        "repurchases": repurchases(profile, user),
        "address": f"/api/v1/profiles/{person.id}/recommendations/?k={SHOWN}",
    }


def lines(shown: Sequence[Candidate], titles: Mapping[int, str]) -> list[Line]:
    """Return candidates with their reasons as sentences."""
    values = titled([one.reason for one in shown], titles)
    most = max((one.value for one in shown), default=1.0) or 1.0
    return [
        Line(
            item=one.item,
            share=max(round(100 * one.value / most), 1),
            source=SOURCES[one.source],
            why=because({**one.reason, "values": said}),
        )
        for one, said in zip(shown, values, strict=True)
    ]


def _left(answer: Answer) -> list[tuple[Item, str]]:
    bought = gettext("bought in this session")
    return [(one.candidate.item, one.rule.name if one.rule else bought) for one in answer.left]


def _seen(answer: Answer) -> list[Item]:
    items = Item.objects.in_bulk([item for item, _weight in answer.session.items])
    return [items[item] for item, _weight in answer.session.items if item in items]


def _to_try(now: datetime) -> list[tuple[Profile, str]]:
    """Return a few people with recommendations, for whoever knows no number."""
    run = online.recommending_run()
    if run is None:
        return []
    # Whoever comes first by the primary key: the strongest of a million would be sorted for it.
    rows = Recommendation.objects.filter(run=run, rank=1, profile__in=profiling.scored()).order_by("profile_id")
    found = rows.select_related("profile")[:TO_TRY]
    return [(row.profile, masked_name(row.profile.name) or str(row.profile)) for row in found]


def due(run: PredictionRun | None) -> dict[str, Any]:
    """Return how many people will likely need what of each category soon, and where a segment of them begins."""
    if run is None:
        return {"run": None, "rows": [], "spans": online.SPANS}
    found = run.summary["due"] if "due" in run.summary else online.due_by_category(run)
    rows = [(category, counts, _segment(category)) for category, counts in found]
    return {"run": run, "rows": rows, "spans": online.SPANS}


def _segment(category: str) -> str:
    rule = {"repurchase": {"category": category}, "due_within_days": online.SPANS[0]}
    asked = urlencode({"rule": orjson.dumps({"all": [rule]}).decode()})
    return f"{reverse('admin:campaigns_segment_add')}?{asked}"


def companions(item: Item, user: Any, now: datetime) -> list[tuple[Any, list[ItemLink]]]:
    """Return for each kind what goes with an item, for its page."""
    if not user.has_perm("mlengine.view_itemlink"):
        return []
    kinds = [(kind.label, found) for kind in ItemLink.Kind if (found := online.links_of(item.pk, kind, SHOWN, now))]
    for one in () if private.sees_people(user) else (link for _label, found in kinds for link in found):
        one.people = 0  # exact counts are for who may see the people
    return kinds


def repurchases(profile: Profile, user: Any) -> list[Repurchase]:
    """Return what a person will likely want again, for her page."""
    if not user.has_perm("mlengine.view_repurchase"):
        return []
    return online.repurchases_of(online.person(profile).pk)[:SHOWN]


__all__ = ["RecommendationRuleAdmin", "companions", "lines", "repurchases", "spec_title"]
