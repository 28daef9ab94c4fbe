"""The form of a campaign, in steps: whom, what, when, and how much is held out."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.models import Campaign, Segment
from campaigns.runs import readiness
from campaigns.runs.recurrence import TimingError
from crm.models import Channel, Event

NONE = [("", "–")]
WAYS = ("first_channel", "second_channel", "third_channel")
STEPS: tuple[Any, ...] = (
    (_("1. Whom"), {"fields": (("name", "purpose"), "segment", WAYS)}),
    (_("2. When"), {"fields": ("kind", ("starts_at", "ends_at"))}),
    (_("When it recurs"), {"fields": (("every", "unit", "at"),), "classes": ["of-recurring"]}),
    (
        _("When something starts it"),
        {"fields": (("event", "event_name"), ("after_minutes", "unless")), "classes": ["of-triggered"]},
    ),
    (
        _("3. What it is to prove"),
        {"fields": (("held_out", "goal", "goal_name"), "attribution_days")},
    ),
    (_("4. How fast, and until when"), {"fields": (("priority", "send_rate", "expires_hours"),)}),
)


def select(label: Any, choices: Any, **facts: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget, **facts)


def number(label: Any, least: int, most: int, **facts: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, widget=UnfoldAdminIntegerFieldWidget, **facts
    )


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]
    """What the model keeps as durations, shares and JSON, in the units in which people think."""

    first_channel = select(_("first channel"), Channel.choices)
    second_channel = select(_("where that cannot reach"), [*NONE, *Channel.choices], required=False)
    third_channel = select(_("and then"), [*NONE, *Channel.choices], required=False)
    held_out = forms.DecimalField(
        label=_("held out, in per cent"),
        min_value=Decimal(0),
        max_value=Decimal(90),
        decimal_places=1,
        initial=Decimal(10),
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=_("The share that gets nothing, so that the report can say what the campaign caused."),
    )
    attribution_days = number(_("days in which the goal counts"), 1, 365, initial=14)
    expires_hours = number(_("hours until a message expires"), 1, 24 * 30, initial=24)
    every = number(_("every"), 1, 366, required=False, initial=1)
    unit = select(
        _("unit"),
        [("day", _("days")), ("week", _("weeks")), ("month", _("months"))],
        required=False,
    )
    at = forms.TimeField(
        label=_("at (on our wall)"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "10:00", "type": "time"}),
    )
    event = select(
        pgettext_lazy("trigger", "event"),
        [*NONE, *((one.value, one.label) for one in Event.Kind if one not in readiness.NO_TRIGGERS)],
        required=False,
    )
    event_name = forms.CharField(
        label=_("name of the event"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget
    )
    after_minutes = number(_("minutes after it"), 0, readiness.LONGEST_WAIT, required=False, initial=60)
    unless = select(_("unless meanwhile"), [*NONE, *Event.Kind.choices], required=False)

    class Meta:
        model = Campaign
        fields = (
            *("name", "purpose", "segment", "kind", "starts_at", "ends_at", "goal", "goal_name", "priority"),
            "send_rate",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():  # as the labels of the model's own fields are written
            field.label = capfirst(field.label)
        if "segment" in self.fields:
            cast("Any", self.fields["segment"]).queryset = Segment.objects.offered() | Segment.objects.filter(
                pk=self.instance.segment_id
            )
        if "kind" in self.fields:
            cast("Any", self.fields["kind"]).choices = [(kind.value, kind.label) for kind in Campaign.OURS]
        if self.instance.pk:
            self.initial = {**self.initial, **told_of(self.instance)}

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        ways = [told.get(way) for way in WAYS if told.get(way)]
        if len(set(ways)) < len(ways):
            raise forms.ValidationError({"second_channel": gettext("Each channel is tried once.")})
        try:
            readiness.check_timing(told.get("kind", ""), timing_of(told))
        except TimingError as error:
            raise forms.ValidationError({"kind": str(error)}) from error
        starts, ends = told.get("starts_at"), told.get("ends_at")
        if starts and ends and ends <= starts:
            raise forms.ValidationError({"ends_at": gettext("It ends before it starts.")})
        return told

    def _post_clean(self) -> None:
        # Before the model's own checks, which ask for the channels.
        told = self.cleaned_data
        self.instance.channels = [told[way] for way in WAYS if told.get(way)]
        self.instance.timing = timing_of(told)
        if "held_out" in told:
            self.instance.holdout = told["held_out"] / 100
        if "attribution_days" in told:
            self.instance.attribution_window = timedelta(days=told["attribution_days"])
        if "expires_hours" in told:
            self.instance.message_expires_after = timedelta(hours=told["expires_hours"])
        super()._post_clean()  # type: ignore[misc]  # Django's own hook, which its types leave out


COLUMNS = (
    *CampaignForm.Meta.fields,
    *("channels", "timing", "holdout", "attribution_window", "message_expires_after"),
)


def timing_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return the timing as the model keeps it."""
    if told.get("kind") == Campaign.Kind.RECURRING:
        at = told.get("at")
        return {"every": told.get("every") or 1, "unit": told.get("unit"), "at": f"{at:%H:%M}" if at else None}
    if told.get("kind") == Campaign.Kind.TRIGGERED:
        return {
            "event": told.get("event"),
            "name": told.get("event_name") or "",
            "after_minutes": told.get("after_minutes") or 0,
            "unless": told.get("unless") or "",
        }
    return {}


def told_of(campaign: Campaign) -> dict[str, Any]:
    """Return what the form shows of a campaign."""
    timing = campaign.timing
    ways = [*campaign.channels, "", ""]
    return {
        **dict(zip(WAYS, ways, strict=False)),
        "held_out": f"{float(campaign.holdout) * 100:.4g}",
        "attribution_days": campaign.attribution_window.days,
        "expires_hours": int(campaign.message_expires_after.total_seconds() // 3600),
        "every": timing.get("every", 1),
        "unit": timing.get("unit", "day"),
        "at": timing.get("at"),
        "event": timing.get("event"),
        "event_name": timing.get("name"),
        "after_minutes": timing.get("after_minutes", 60),
        "unless": timing.get("unless"),
    }
