"""The bands of guardrails, the alarms, and the page that says what to do at night."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from campaigns.admin.policies import stop_facts
from campaigns.guarding import alarm_words, alarms, bands, runbook
from campaigns.models import Alarm, Guardrail
from crm.admin.lists import ListAdmin, ReadOnlyAdmin, column, moment, person_of

OPEN, SEEN, CLOSED = "open", "seen", "closed"
LABELS = {OPEN: "danger", SEEN: "warning", CLOSED: "success"}
HUNDRED = 100


def number(label: Any, help_text: Any) -> forms.FloatField:
    return forms.FloatField(label=label, min_value=0, widget=UnfoldAdminDecimalFieldWidget, help_text=help_text)


class GuardrailForm(forms.ModelForm):  # type: ignore[type-arg]
    """A band in the units in which people think: rates in per cent."""

    usual_shown = number(
        _("usual"),
        _("Rates in per cent of what left; the audience in multiples of what was approved; drift as an index."),
    )
    worst_shown = number(
        _("not to be borne"),
        _("The test decides between the two: at or above this the campaign is paused soon, at what is usual never."),
    )

    class Meta:
        model = Guardrail
        fields = ("signal", "campaign", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("usual_shown", "worst_shown"):
            self.fields[name].label = capfirst(str(self.fields[name].label))
        if self.instance.pk:
            factor = _factor(self.instance.signal)
            self.initial["usual_shown"] = f"{self.instance.usual * factor:.6g}"
            self.initial["worst_shown"] = f"{self.instance.worst * factor:.6g}"
            for name in ("signal", "campaign"):
                if name in self.fields:
                    self.fields[name].disabled = True

    def _post_clean(self) -> None:
        # Before the model's own checks, which compare the two.
        told = self.cleaned_data
        factor = _factor(told.get("signal") or self.instance.signal)
        if "usual_shown" in told and "worst_shown" in told:
            self.instance.usual, self.instance.worst = told["usual_shown"] / factor, told["worst_shown"] / factor
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, which its types leave out

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        usual, worst = told.get("usual_shown"), told.get("worst_shown")
        if usual is not None and worst is not None and worst <= usual:
            raise forms.ValidationError({"worst_shown": gettext("This has to be more than what is usual.")})
        if worst is not None and _factor(told.get("signal", "")) == HUNDRED and worst >= HUNDRED:
            raise forms.ValidationError({"worst_shown": gettext("A rate is below 100 per cent.")})
        same = Guardrail.objects.filter(signal=told.get("signal", ""), campaign=told.get("campaign"))
        if same.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(gettext("There is a band of this signal for this campaign already."))
        return told


@admin.register(Guardrail)
class GuardrailAdmin(ListAdmin):
    """Bands: each signal has one for all campaigns, and any campaign may have its own."""

    form = GuardrailForm
    fields = (("signal", "campaign"), ("usual_shown", "worst_shown"), "active")
    list_display = ("name", "for_whom", "usual_said", "worst_said", "active")
    list_filter = (("signal", ChoicesDropdownFilter),)
    list_select_related = ("campaign",)
    autocomplete_fields = ("campaign",)
    ordering = ("campaign__name", "signal")
    change_list_template = "zhiyin/alarm/bands.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Guardrail]:
        bands.complete()  # each signal has a row that can be edited
        rows: QuerySet[Guardrail] = super().get_queryset(request)
        return rows

    def has_delete_permission(self, request: HttpRequest, obj: Guardrail | None = None) -> bool:
        return False  # a band that is not wanted is switched off, and the history says by whom

    def title_of(self, obj: Guardrail) -> str:
        return f"{self.name(obj)}: {self.for_whom(obj)}"

    @column(_("signal"), ordering="signal")
    def name(self, band: Guardrail) -> str:
        return str(band.get_signal_display()).capitalize()

    @column(_("for"), ordering="campaign__name")
    def for_whom(self, band: Guardrail) -> str:
        return str(band.campaign) if band.campaign else gettext("every campaign")

    @column(_("usual"))
    def usual_said(self, band: Guardrail) -> str:
        return _said(band.signal, band.usual)

    @column(_("not to be borne"))
    def worst_said(self, band: Guardrail) -> str:
        return _said(band.signal, band.worst)


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What left its band: what was seen, what to do, and who is at it."""

    change_form_template = "zhiyin/alarm/change_form.html"
    change_list_template = "zhiyin/alarm/change_list.html"
    list_display = ("state", "campaign_name", "what", "raised", "seen_by")
    list_display_links = ("state", "campaign_name")
    list_filter = (("signal", ChoicesDropdownFilter),)
    list_select_related = ("campaign", "looked_at_by", "closed_by")
    search_fields = ("campaign__name",)
    ordering = ("-raised_at",)
    fields = ("campaign", "signal")
    nothing_yet = _(
        "No campaign has left its bands. Each one that does pauses itself, and stands here with the reason."
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("runbook/", view(self.runbook_view), name="campaigns_runbook"),
            path("<int:pk>/acknowledge/", view(self.acknowledge_view), name="campaigns_alarm_acknowledge"),
            *super().get_urls(),
        ]

    @column(_("state"), label=LABELS)
    def state(self, alarm: Alarm) -> tuple[str, str]:
        return state_of(alarm)

    @column(_("campaign"), ordering="campaign__name")
    def campaign_name(self, alarm: Alarm) -> str:
        return alarm.campaign.name

    @column(_("what was seen"), ordering="signal")
    def what(self, alarm: Alarm) -> str:
        return alarm_words.said(alarm)

    @column(_("raised"), ordering="raised_at")
    def raised(self, alarm: Alarm) -> str:
        return moment(alarm.raised_at)

    @column(_("looked at by"))
    def seen_by(self, alarm: Alarm) -> str:
        return str(alarm.looked_at_by or "–")

    def title_of(self, obj: Alarm) -> str:
        return f"{obj.campaign}: {obj.get_signal_display()}"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        one = self.get_object(request, object_id)
        facts = self.about(one, request) if isinstance(one, Alarm) and self.has_view_permission(request) else {}
        return super().change_view(request, object_id, form_url, facts | (extra_context or {}))

    def about(self, one: Alarm, request: HttpRequest) -> dict[str, Any]:
        """Return what the page says."""
        tone, state = state_of(one)
        return {
            "alarm": one,
            "tone": {OPEN: "bad", SEEN: "warn", CLOSED: "good"}[tone],
            "state": state,
            "said": alarm_words.said(one),
            "expected": alarm_words.expected(one),
            "sample": alarm_words.sample(one),
            "chapter": runbook.CHAPTERS[one.signal],
            "may_acknowledge": one.looked_at is None and request.user.has_perm("campaigns.change_alarm"),
        }

    @method_decorator(require_POST)
    def acknowledge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write down that somebody is at it; the campaign stays paused."""
        if not request.user.has_perm("campaigns.change_alarm"):
            raise PermissionDenied
        one = get_object_or_404(Alarm, pk=pk)
        if alarms.acknowledge(one, person_of(request), request.POST.get("note", ""), timezone.now()):
            self.log_change(request, one, f"Looked at: {one.note}"[:300])
            messages.success(request, gettext("Noted: the others see that you are at it."))
        else:
            messages.info(request, gettext("A colleague was there before you."))
        return redirect("admin:campaigns_alarm_change", pk)

    def runbook_view(self, request: HttpRequest) -> HttpResponse:
        """Show what each alarm means and what to do."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            **stop_facts(request),
            "title": gettext("When a campaign pauses itself"),
            "opts": self.opts,
            "first": runbook.FIRST,
            "stop": runbook.STOP,
            "chapters": [
                (signal, str(Guardrail.Signal(signal).label).capitalize(), chapter)
                for signal, chapter in runbook.CHAPTERS.items()
            ],
            "open": Alarm.objects.open().filter(looked_at=None).count(),
        }
        return TemplateResponse(request, "zhiyin/alarm/runbook.html", context)


def state_of(alarm: Alarm) -> tuple[str, str]:
    """Return the state's code and word."""
    if alarm.closed_at:
        return CLOSED, gettext("closed")
    return (SEEN, gettext("somebody is at it")) if alarm.looked_at else (OPEN, gettext("nobody has looked"))


def _factor(signal: str) -> float:
    return HUNDRED if signal in Guardrail.RATES else 1


def _said(signal: str, value: float) -> str:
    if signal in Guardrail.RATES:
        return alarm_words.share(value)
    return f"× {value:g}" if signal == Guardrail.Signal.AUDIENCE else f"{value:g}"
