"""The log of consents, read only; and what staff do about one person: enter what was said, copy the link."""

from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter

from crm import access_log, consent, preference_links
from crm.admin.again import ask_again
from crm.admin.identities import profile_link
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.consent import ConsentRefused, NewConsent
from crm.consent_rules import GRANTS, REFUSALS, Kind, Method
from crm.models import Channel, ConsentEvent, Leaf, PersonalDataAccess, Profile, Purpose
from crm.models.purposes import in_language
from crm.preferences.choices import in_force

RECORD = "crm.record_consent"
STAFF_LINK = timedelta(days=7)  # of a link that staff copy; those in messages live longer
TONES = dict.fromkeys(GRANTS, "success") | dict.fromkeys(REFUSALS, "danger") | {"expired": "warning"}
ENTERED = (("given", _("agreed")), ("withdrawn", _("takes it back")), ("refused", _("does not want it")))
HOW = (
    (Method.PHONE_CALL.value, _("by phone")),
    (Method.PAPER.value, _("on paper")),
    (Method.ADMIN.value, _("otherwise")),
)


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    """What people said, each with its place in the ledger; only code adds to it."""

    change_form_template = "zhiyin/consent/event.html"
    change_list_template = "zhiyin/consent/log.html"
    list_display = ("received_at", "who", "purpose_name", "state_label", "channel", "method", "told", "number")
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("purpose", RelatedDropdownFilter),
        ("method", ChoicesDropdownFilter),
        ("consent_kind", ChoicesDropdownFilter),
        ("channel", ChoicesDropdownFilter),
        ("received_at", RangeDateTimeFilter),
    )
    list_select_related = ("purpose", "person")
    search_fields = ("pk",)
    search_help_text = _("Number of a person (#42), or the event's id")
    ordering = ("-received_at", "-pk")

    nothing_yet = _("Every answer of a person stands here: who allowed, refused or withdrew what, when and how.")

    def title_of(self, obj: ConsentEvent) -> str:
        return f"{obj.purpose}: {obj.get_state_display()}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsentEvent]:
        rows: QuerySet[ConsentEvent] = super().get_queryset(request)
        return rows.annotate(sequence=Subquery(Leaf.objects.filter(record=OuterRef("pk")).values("sequence")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if term.startswith("#") and term[1:].isdecimal() and len(term) <= 19:
            return queryset.filter(person__profile=int(term[1:])), False
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=term), False
        except (ValueError, forms.ValidationError):
            return queryset.none(), False

    @column(_("person"))
    def who(self, event: ConsentEvent) -> str:
        part = getattr(event, "person", None)
        return profile_link(part.profile_id) if part else gettext("erased")

    @column(_("purpose"), ordering="purpose")
    def purpose_name(self, event: ConsentEvent) -> str:
        return str(event.purpose)

    @column(_("state"), ordering="state", label=TONES)
    def state_label(self, event: ConsentEvent) -> tuple[str, str]:
        return event.state, event.get_state_display()

    @column(_("notice"), ordering="notice")
    def told(self, event: ConsentEvent) -> str:
        return event.notice_id or "–"

    @column(_("ledger"))
    def number(self, event: Any) -> str:
        return gettext("being numbered") if event.sequence is None else str(event.sequence)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        event: Any = self.get_object(request, object_id)
        if event is None or not self.has_view_permission(request, event):
            return super().change_view(request, object_id, form_url, extra_context)
        part = getattr(event, "person", None)
        told = {
            "event": event,
            "tone": {"success": "good", "danger": "bad", "warning": "warn"}.get(TONES.get(event.state, ""), ""),
            "facts": [(name, value) for name, value in event.facts().items() if value not in ("", None)],
            "subject": part.profile_id if part else None,
            "subtitle": str(event.pk),
        }
        return super().change_view(request, object_id, form_url, (extra_context or {}) | told)


class EntryForm(forms.Form):
    """What somebody said to staff."""

    purpose = forms.CharField(max_length=64)
    channel = forms.ChoiceField(choices=[("", ""), *Channel.choices], required=False)
    state = forms.ChoiceField(choices=ENTERED)
    method = forms.ChoiceField(choices=HOW)
    proof = forms.CharField(min_length=5, max_length=2000)


class PersonConsents:
    """The part of a profile's page that is about consent, as a mixin of the profiles' admin."""

    admin_site: Any

    def consent_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/consent/", view(self.enter_view), name="crm_profile_consent"),
            path("<int:pk>/preference-link/", view(self.link_view), name="crm_profile_preference_link"),
            path("<int:pk>/revoke-links/", view(self.revoke_view), name="crm_profile_revoke_links"),
        ]

    def _person(self, request: HttpRequest, pk: int) -> Profile:
        profile: Profile | None = self.get_object(request, str(pk))  # type: ignore[attr-defined]
        if profile is None or not request.user.has_perm(RECORD):
            raise PermissionDenied
        return profile

    @method_decorator(require_POST)
    def enter_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Enter what the person said by phone or on paper; the proof is sealed with her key."""
        profile, form = self._person(request, pk), EntryForm(request.POST)
        if not form.is_valid():
            messages.error(request, gettext("Say what was said, how, and what proves it (five signs at least)."))
        else:
            try:
                _enter(profile, form.cleaned_data, request, timezone.now())
                messages.success(request, gettext("Entered in the record."))
            except ConsentRefused as refused:
                messages.error(request, refused.reason)
        return _back(pk)

    @method_decorator([require_POST, never_cache])
    def link_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show a new link to the person's preference page, once it is written down who took it."""
        profile, now = self._person(request, pk), timezone.now()
        ask_again(request)  # whoever has the link can act as the person
        access_log.note(
            PersonalDataAccess.Action.REVEAL,
            "preference link",
            user=person_of(request),
            profile=profile.pk,
            reason=gettext("to be given to the person"),
            now=now,
        )
        where = reverse("preferences", args=[preference_links.mint(profile.pk, now, STAFF_LINK)])
        page = copy(request)
        page.method = "GET"  # the form that comes with it is shown, not saved
        page.preference_link = request.build_absolute_uri(where)  # type: ignore[attr-defined]
        address = reverse("admin:crm_profile_change", args=[pk])
        return self.change_view(page, str(pk), form_url=address)  # type: ignore[attr-defined, no-any-return]

    @method_decorator(require_POST)
    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End all links to the person's page that were made until now."""
        preference_links.revoke(self._person(request, pk).pk)
        messages.success(request, gettext("All links made until now are ended."))
        return _back(pk)


def _back(pk: int) -> HttpResponse:
    return redirect(reverse("admin:crm_profile_change", args=[pk]) + "#consents")


def _enter(profile: Profile, told: dict[str, Any], request: HttpRequest, now: datetime) -> None:
    purpose = Purpose.objects.filter(code=told["purpose"]).first()
    notice = in_force(now).get(told["purpose"])
    given = told["state"] == "given"
    new = NewConsent(
        purpose=told["purpose"],
        state=told["state"],
        channel=told["channel"],
        method=told["method"],
        consent_kind=Kind.SEPARATE.value if purpose and purpose.separate and given else Kind.GENERAL.value,
        notice=notice.reference if notice and given else "",
        proof={"text": told["proof"], "entered_by": person_of(request).pk},
    )
    consent.record(profile.pk, new, source=None, now=now)


def panel(profile: Profile, request: HttpRequest) -> dict[str, Any]:
    """Return what the profile's page shows of consent: how each control stands and why, at any instant, and the log."""
    if not request.user.has_perm("crm.view_consentstate"):
        return {"consent_rows": None}
    now = timezone.now()
    at = _instant(request.GET.get("consent_at", "")) or now
    purposes = {purpose.code: purpose for purpose in Purpose.objects.order_by("pk")}
    stood = consent.state_at(profile.pk, at)
    wanted = sorted({*stood, *((code, purpose.channel) for code, purpose in purposes.items() if purpose.is_active)})
    return {
        "consent_rows": [
            _row(profile, purposes[code], channel, stood.get((code, channel)), now) for code, channel in wanted
        ],
        "consent_at": at,
        "consent_past": at < now,
        "consent_log": consent.history(profile.pk).order_by("-received_at", "-pk")[:20]
        if request.user.has_perm("crm.view_consentevent")
        else None,
        "consent_purposes": [(code, in_language(one.name)) for code, one in purposes.items() if one.is_active],
        "consent_channels": Channel.choices,
        "consent_answers": ENTERED,
        "consent_how": HOW,
        "may_record_consent": request.user.has_perm(RECORD),
        "preference_link": getattr(request, "preference_link", ""),
    }


def _row(profile: Profile, purpose: Purpose, channel: str, stood: Any, now: datetime) -> dict[str, Any]:
    basis = consent.basis_for(profile.pk, purpose, channel, now)
    return {
        "purpose": in_language(purpose.name) or purpose.code,
        "code": purpose.code,
        "channel": Channel(channel).label if channel else gettext("every channel"),
        "state": stood.held.state if stood else "",
        "state_text": ConsentEvent.State(stood.held.state).label if stood else gettext("nothing said"),
        "tone": {"success": "good", "danger": "bad", "warning": "warn"}.get(TONES.get(stood.held.state, ""), "")
        if stood
        else "",
        "since": stood.held.counts_from if stood else None,
        "notice": stood.held.notice if stood else None,
        "allowed": basis.allowed,
        "why": basis.reason.label if basis.reason else gettext("allowed"),
        "event": basis.event_id,
    }


def _instant(text: str) -> datetime | None:
    """Return the moment that a form names, in the organisation's zone; nothing where it names none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else timezone.make_aware(found)
