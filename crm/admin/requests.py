"""Privacy requests as officers work on them: the list with days left, one request with what it needs next."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from crm import carrying_out, clocks, corrections, holds, identity_checks, merging, packs, restrictions, rights
from crm.admin.again import ask_again
from crm.admin.identities import profile_link
from crm.admin.lists import ReadOnlyAdmin, column, person_of
from crm.admin.request_words import LABELS, SHOWN_BY, TONES, entry_facts, entry_line, receipt, step_title
from crm.models import Identifier, PrivacyRequest, Profile, ReplyPack
from crm.rights import RULES, RightsError, Status

HANDLE, CHECK = "crm.handle_privacyrequest", "crm.check_privacyrequest"
Verb = Callable[[PrivacyRequest, HttpRequest], object]


class IntakeForm(forms.Form):
    """A request that reached us by phone, letter or at the counter."""

    kind = forms.ChoiceField(label=_("What is asked for"), choices=PrivacyRequest.Kind.choices)
    profile = forms.IntegerField(label=_("Number of the profile"), min_value=1, required=False)
    field = forms.ChoiceField(
        label=_("To be corrected"), choices=[("", "–"), *((one, one) for one in corrections.FIELDS)], required=False
    )
    value = forms.CharField(label=_("What is right"), max_length=200, required=False)
    text = forms.CharField(label=_("What the person wrote"), max_length=4000, required=False, widget=forms.Textarea)

    def clean_profile(self) -> int | None:
        number: int | None = self.cleaned_data["profile"]
        if number and not Profile.objects.filter(pk=number).exists():
            raise forms.ValidationError(gettext("There is no profile with this number."))
        return number

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if told.get("kind") == PrivacyRequest.Kind.CORRECTION:
            try:
                corrections.check({told.get("field", ""): told.get("value", "")}, timezone.now())
            except RightsError as error:
                raise forms.ValidationError(str(error)) from error
        return told

    @property
    def details(self) -> dict[str, str]:
        told = self.cleaned_data
        if told["kind"] == PrivacyRequest.Kind.CORRECTION:
            return {told["field"]: told["value"]}
        return {"text": told["text"]} if told["text"] else {}


def _tell(request: PrivacyRequest, http: HttpRequest) -> None:
    types = [str(type_) for type_ in identity_checks.NAMEABLE]
    claims = {type_: http.POST[type_] for type_ in types if http.POST.get(type_, "").strip()}
    if not identity_checks.tell(request, claims, now=timezone.now()) and request.identity_points == 0:
        raise RightsError(gettext("What was named is not what we hold."))


def _call_back(request: PrivacyRequest, http: HttpRequest) -> None:
    identity_checks.vouch(request, "call_back", now=timezone.now(), user=person_of(http))


def _send_back(request: PrivacyRequest, http: HttpRequest) -> None:
    carrying_out.send_back(request, now=timezone.now(), user=person_of(http), why=http.POST.get("why", ""))


def _refuse(request: PrivacyRequest, http: HttpRequest) -> None:
    rights.refuse(request, http.POST.get("reason", ""), now=timezone.now(), user=person_of(http))


def _lift(request: PrivacyRequest, http: HttpRequest) -> None:
    """End the restriction that the request brought about, for a reason that the ledger keeps."""
    reason = http.POST.get("reason", "").strip()
    if request.kind != PrivacyRequest.Kind.RESTRICTION or request.profile_id is None or request.is_open:
        raise RightsError(gettext("This request restricts nobody."))
    if len(reason) < 5:
        raise RightsError(gettext("Say why the restriction ends."))
    now, user = timezone.now(), person_of(http)
    if not restrictions.lift(request.profile_id, now=now, user=user, reason=reason):
        raise RightsError(gettext("The person is not restricted any more."))
    rights.note(request, "lifted", now, user)


def _again(request: PrivacyRequest, http: HttpRequest) -> None:
    carrying_out.ring(request)


# What an officer can do, by the name in the address: the permission, and the verb.
VERBS: Mapping[str, tuple[str, Verb]] = {
    "ask": (HANDLE, lambda one, http: identity_checks.ask(one, now=timezone.now(), user=person_of(http))),
    "call-back": (HANDLE, _call_back),
    "tell": (HANDLE, _tell),
    "begin": (HANDLE, lambda one, http: carrying_out.begin(one, now=timezone.now(), user=person_of(http))),
    "again": (HANDLE, _again),
    "lift": (HANDLE, _lift),
    "approve": (CHECK, lambda one, http: carrying_out.approve(one, now=timezone.now(), user=person_of(http))),
    "send-back": (CHECK, _send_back),
    "answer": (HANDLE, lambda one, http: rights.answer(one, now=timezone.now(), user=person_of(http))),
    "refuse": (HANDLE, _refuse),
    "withdraw": (HANDLE, lambda one, http: rights.withdraw(one, now=timezone.now(), user=person_of(http))),
}
# After these a pack is made or goes out, or a person is erased.
ASKED_AGAIN = frozenset({"begin", "approve", "answer"})


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ReadOnlyAdmin):
    """Requests, the most urgent first."""

    change_form_template = "zhiyin/rights/request.html"
    change_list_template = "zhiyin/rights/list.html"
    list_display = ("title", "person", "status_label", "days_left", "due_on", "method", "handled_by", "received_at")
    list_filter = (("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    list_select_related = ("handled_by",)
    search_fields = ("reference",)
    search_help_text = _("Number of a profile (#42), or the beginning of a reference")
    ordering = (F("ended_at").desc(nulls_first=True), "due_on", "pk")
    fields = ("kind",)

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.has_perm(HANDLE))

    def get_queryset(self, request: HttpRequest) -> QuerySet[PrivacyRequest]:
        rows: QuerySet[PrivacyRequest] = super().get_queryset(request)
        return rows.prefetch_related("pauses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if term.startswith("#") and term[1:].isdecimal() and len(term) <= 19:
            return queryset.filter(profile=int(term[1:])), False
        return (queryset.filter(reference__startswith=term.lower()) if term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            re_path(
                rf"^(?P<pk>\d+)/do/(?P<verb>{'|'.join(VERBS)})/$", view(self.do_view), name="crm_privacyrequest_do"
            ),
            path("<int:pk>/pack/", view(self.pack_view), name="crm_privacyrequest_pack"),
            *super().get_urls(),
        ]

    @column(_("request"), ordering="kind", header=True)
    def title(self, request: PrivacyRequest) -> list[str]:
        return [capfirst(request.get_kind_display()), str(request.reference)[:8]]

    @column(_("person"), ordering="profile")
    def person(self, request: PrivacyRequest) -> str:
        if request.profile_id:
            return profile_link(request.profile_id)
        return gettext("erased") if request.subject else gettext("not known")

    @column(_("status"), ordering="status", label=LABELS)
    def status_label(self, request: PrivacyRequest) -> tuple[str, str]:
        return request.status, request.get_status_display()

    @column(_("days left"), ordering="due_on")
    def days_left(self, request: PrivacyRequest) -> str:
        return render_to_string("zhiyin/rights/days.html", self._time(request))

    def _time(self, request: PrivacyRequest) -> dict[str, Any]:
        return {"request_": request, "clock": clocks.clock(request, timezone.now())}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = IntakeForm(request.POST or None, initial={"profile": request.GET.get("profile", "")})
        if request.method == "POST" and form.is_valid():
            made = rights.open_request(
                form.cleaned_data["kind"],
                profile_id=form.cleaned_data["profile"],
                method=PrivacyRequest.Method.STAFF,
                language=request.LANGUAGE_CODE,
                details=form.details,
                user=person_of(request),
                now=timezone.now(),
            )
            return redirect("admin:crm_privacyrequest_change", made.pk)
        context = {**self.admin_site.each_context(request), "title": _("Take in a request"), "form": form}
        return TemplateResponse(request, "zhiyin/rights/intake.html", context | {"opts": self.opts})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        if found is None or not self.has_view_permission(request, found):
            return super().change_view(request, object_id, form_url, extra_context)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | about(found, request))

    @method_decorator(require_POST)
    def do_view(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Do one thing to a request, and go back to its page; what cannot be done is said there."""
        permission, do = VERBS[verb]
        if not request.user.has_perm(permission):
            raise PermissionDenied
        if verb in ASKED_AGAIN:
            ask_again(request)
        found = get_object_or_404(PrivacyRequest, pk=pk)
        try:
            do(found, request)
        except RightsError as error:
            messages.error(request, str(error))
        return redirect("admin:crm_privacyrequest_change", pk)

    @method_decorator(require_POST)
    def pack_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send the reply pack to whoever checks or hands it over; it is logged as an export of personal data."""
        if not (request.user.has_perm(HANDLE) or request.user.has_perm(CHECK)):
            raise PermissionDenied
        ask_again(request)
        pack = get_object_or_404(ReplyPack, request=pk)
        try:
            content = packs.fetch(pack, actor="", user=person_of(request), now=timezone.now())
        except packs.NoPack as error:
            messages.error(request, str(error))
            return redirect("admin:crm_privacyrequest_change", pk)
        rights.note(pack.request, "fetched", timezone.now(), person_of(request))
        return packs.response(pack, content)


def _link(request: PrivacyRequest, now: datetime) -> str:
    """Return the address that the person gets, once the request is answered and as long as the pack is there."""
    there = ReplyPack.objects.filter(request=request, deleted_at=None, expires_at__gt=now).exists()
    answered = request.status == Status.ANSWERED
    return reverse("reply-pack", args=[packs.link_token(request, now)]) if there and answered else ""


def _holds(request: PrivacyRequest, now: datetime) -> list[str]:
    """Return the cases that stand against an erasure which is still to be done."""
    if request.kind != PrivacyRequest.Kind.ERASURE or not request.profile_id or not request.is_open:
        return []
    return [hold.reference for hold in holds.on_people(merging.members(request.profile_id), now)]


def _restricts(request: PrivacyRequest) -> bool:
    if request.kind != PrivacyRequest.Kind.RESTRICTION or request.is_open or request.profile_id is None:
        return False
    return restrictions.is_restricted(merging.members(request.profile_id))


def about(request: PrivacyRequest, http: HttpRequest) -> dict[str, Any]:
    """Return what the page shows of one request, and what may be done with it now, by this reader."""
    now = timezone.now()
    steps = list(request.steps.all())
    return {
        "request_": request,
        "clock": clocks.clock(request, now),
        "tone": TONES[request.status],
        "subtitle": str(request.reference)[:8],
        "handles": http.user.has_perm(HANDLE),
        "checks": http.user.has_perm(CHECK) and request.handled_by_id != http.user.pk,
        "prepared_it": request.handled_by_id == http.user.pk,
        "steps": [(step, step_title(step), receipt(step)) for step in steps],
        "done": sum(step.status == step.Status.DONE for step in steps),
        "entries": [(one, entry_line(one), entry_facts(one)) for one in request.entries.select_related("user")],
        "needed": identity_checks.needed(request) if request.is_open else request.identity_points,
        "shown_by": [SHOWN_BY.get(one, one) for one in request.identity_shown_by],
        "askable": [(type_, Identifier.Type(type_).label) for type_ in identity_checks.askable(request)],
        "waits": request.status in identity_checks.WAITING,
        "refusals": PrivacyRequest.Refusal.choices,
        "may_refuse": request.status in {*identity_checks.WAITING, Status.VERIFIED, Status.CHECKING},
        "checked_first": RULES[request.kind].checked == "before",
        "pack": ReplyPack.objects.filter(request=request).first(),
        "link": _link(request, now) if http.user.has_perm(HANDLE) else "",
        "wrote": request.details if http.user.has_perm(HANDLE) else {},
        "held": _holds(request, now),
        "twins": request.duplicates.all(),
        "may_lift": _restricts(request) and http.user.has_perm(HANDLE),
        "now": now,
    }
