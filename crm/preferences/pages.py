"""The preference page over HTTP: GET shows and changes nothing, POST changes and sends the browser back to GET."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import path, reverse
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from crm import ages, corrections, guardians
from crm.masks import masked_email
from crm.models import GuardianLink, Profile
from crm.models.purposes import in_language
from crm.preference_links import Opened
from crm.preferences import changes, gate, rights, tags, why
from crm.preferences.changes import Press, Refused
from crm.preferences.choices import choices
from crm.preferences.words import FIELDS, KINDS, done_text, refused_text

READ, WRITE = ("GET", "HEAD"), ("GET", "HEAD", "POST")
Do = Callable[[Opened, QueryDict, str], str]


@csrf_exempt  # no cookie is read here: see crm.preferences.gate
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page, or do what one of its buttons says."""
    refused = gate.refusal(request, WRITE, own_pages_only=True)
    return refused or gate.opened(request, token, _post if request.method == "POST" else _show)


@csrf_exempt
def one_click(request: HttpRequest, token: str) -> HttpResponse:
    """Take marketing consent back for a mail program that posts what RFC 8058 says; people who come by are shown on."""
    refused = gate.refusal(request, WRITE, own_pages_only=False)
    return refused or gate.opened(request, token, _one_click)


@csrf_exempt
def guardian(request: HttpRequest, token: str) -> HttpResponse:
    """Show a guardian what a child is asked for, and nothing else of the child; or do what a press says."""
    refused = gate.refusal(request, WRITE, own_pages_only=True)
    return refused or gate.opened(
        request, token, _guardian_post if request.method == "POST" else _guardian_show, guardians.read
    )


def _guardian_show(request: HttpRequest, token: str, link: Opened) -> HttpResponse:
    return _guardian_page(token, link, said=done_text(request.GET.get("done", "")))


def _guardian_post(request: HttpRequest, token: str, link: Opened) -> HttpResponse:
    try:
        code = _decide(link, request.POST, translation.get_language() or "en")
    except Refused as refused:
        return _guardian_page(token, link, problem=refused_text(refused.code), status=409)
    guardians.keep_open(link, timezone.now())
    return _back(request, reverse("guardian", args=[token]), code)


def _guardian_page(token: str, link: Opened, *, said: str = "", problem: str = "", status: int = 200) -> HttpResponse:
    now, language = timezone.now(), translation.get_language() or "en"
    context: dict[str, Any] = {
        "language": language,
        "said": said,
        "problem": problem,
        "choices": choices(link.person, language, now, guardian=True),
        "child": guardians.needs_guardian(link.person, now),
        "relation": link.guardian.get_relation_display() if link.guardian else "",
    }
    return gate.page("guardian.html", context, status=status)


def _show(request: HttpRequest, token: str, link: Opened) -> HttpResponse:
    return _page(request, token, link, said=done_text(request.GET.get("done", "")))


def _post(request: HttpRequest, token: str, link: Opened) -> HttpResponse:
    form = request.POST
    do = DO.get(form.get("do", ""), _unknown)
    try:
        code = do(link, form, translation.get_language() or "en")
    except Refused as refused:
        return _page(request, token, link, problem=refused_text(refused.code), status=409)
    return _back(request, reverse("preferences", args=[token]), code)


def _back(request: HttpRequest, where: str, code: str) -> HttpResponse:
    asked = {"done": code} | ({"lang": request.GET["lang"]} if "lang" in request.GET else {})
    answer = HttpResponseRedirect(f"{where}?{urlencode(asked)}#said")
    answer.status_code = 303
    return answer


def _one_click(request: HttpRequest, token: str, link: Opened) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseRedirect(reverse("preferences", args=[token]))
    if request.POST.get("List-Unsubscribe") != "One-Click":
        return _page(request, token, link, problem=refused_text("unknown"), status=409)
    changes.one_click(link.person, request.GET.get("on", ""), timezone.now())
    return HttpResponse(done_text("one_click") + "\n", content_type="text/plain; charset=utf-8")


def _page(
    request: HttpRequest, token: str, link: Opened, *, said: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    now, language = timezone.now(), translation.get_language() or "en"
    profiles = list(Profile.objects.filter(pk__in=link.person.profile_ids))
    context: dict[str, Any] = {
        "language": language,
        "here": reverse("preferences", args=[token]),
        "said": said,
        "problem": problem,
        "choices": choices(link.person, language, now),
        "guardians": [(one, masked_email(one.contact)) for one in guardians.links(link.person, now)],
        "relations": GuardianLink.Relation.choices,
        "personalisation": all(profile.personalisation for profile in profiles),
        "restricted": any(profile.restricted_at for profile in profiles),
        "age": ages.youngest(profiles, now),
        "tags": [(tag, _spoken(tag.title), _spoken(tag.text)) for tag in tags.tags(link.person)],
        "learned": why.learned(link.person, language),
        "looks": why.looks(link.person),
        "requests": rights.requests_of(link.person, now),
        "kinds": [(kind.value, KINDS[kind]) for kind in rights.KINDS],
        "fields": [(field, FIELDS[field]) for field in corrections.FIELDS],
    }
    return gate.page("page.html", context, status=status)


def _texts(form: QueryDict) -> dict[str, str]:
    return {name: str(value) for name, value in form.items()}


def _spoken(text: Any) -> str:
    return in_language(dict(text)) if isinstance(text, Mapping) else str(text)


def _decide(link: Opened, form: QueryDict, language: str) -> str:
    press = Press(
        purpose=form.get("purpose", ""),
        channel=form.get("channel", ""),
        answer=form.get("answer", ""),
        language=language,
        digest=form.get("shown", ""),
        after=form.get("after", ""),
        guardian=link.guardian,
    )
    changes.decide(link.person, press, timezone.now())
    return press.answer


def _withdraw_all(link: Opened, form: QueryDict, language: str) -> str:
    changes.withdraw_all(link.person, timezone.now())
    return "withdrawn"


def _switch(link: Opened, form: QueryDict, language: str) -> str:
    if form.get("personalisation") not in ("on", "off"):
        raise Refused("unknown")
    changes.switch(link.person, on=form["personalisation"] == "on", now=timezone.now())
    return f"personalisation_{form['personalisation']}"


def _delete_tag(link: Opened, form: QueryDict, language: str) -> str:
    key = form.get("tag", "")
    if not key and form.get("every") != "yes":
        raise Refused("unknown")
    if not tags.delete(link.person, key, timezone.now()):
        raise Refused("changed")
    return "tag"


def _ask(link: Opened, form: QueryDict, language: str) -> str:
    fresh = rights.ask(link.person, form.get("kind", ""), _texts(form), language, timezone.now())
    return "asked" if fresh else "asked_before"


def _confirm(link: Opened, form: QueryDict, language: str) -> str:
    rights.confirm(link.person, form.get("request", ""), _texts(form), timezone.now())
    return "confirmed"


def _cancel(link: Opened, form: QueryDict, language: str) -> str:
    rights.cancel(link.person, form.get("request", ""), timezone.now())
    return "cancelled"


def _guardian(link: Opened, form: QueryDict, language: str) -> str:
    told = form.get("relation", ""), form.get("contact", "")
    changes.name_guardian(link.person, *told, language, timezone.now())
    return "guardian"


def _unknown(link: Opened, form: QueryDict, language: str) -> str:
    raise Refused("unknown")


DO: Mapping[str, Do] = {
    "decide": _decide,
    "withdraw_all": _withdraw_all,
    "switch": _switch,
    "delete_tag": _delete_tag,
    "ask": _ask,
    "confirm": _confirm,
    "cancel": _cancel,
    "guardian": _guardian,
}

urlpatterns = [
    path("p/<str:token>/", preferences, name="preferences"),
    path("p/<str:token>/one-click/", one_click, name="preferences_one_click"),
    path("g/<str:token>/", guardian, name="guardian"),
]
