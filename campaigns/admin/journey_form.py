"""The settings of a journey: whom it is for, how often one may enter, what it is to prove; and how one is begun."""

from datetime import timedelta
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib.admin import helpers
from django.core.exceptions import ValidationError
from django.forms import modelform_factory
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from campaigns.admin.campaign_form import COLUMNS, WAYS, CampaignForm, number, select
from campaigns.journeys import starting, versions
from campaigns.journeys.starters import Starter
from campaigns.models import Campaign, Journey, Segment
from crm.models import Purpose

FIELDS = ("name", "purpose", "segment", "starts_at", "ends_at", "goal", "goal_name", "priority", "send_rate")
STEPS: tuple[Any, ...] = (
    (_("1. Whom"), {"fields": (("name", "purpose"), "segment", WAYS)}),
    (_("2. How often"), {"fields": (("again", "again_after_days"), "leave_at_goal", ("starts_at", "ends_at"))}),
    (_("3. What it is to prove"), {"fields": (("held_out", "goal", "goal_name"), "attribution_days")}),
    (_("4. How fast, and until when"), {"fields": (("priority", "send_rate", "expires_hours"),)}),
)
SAVED = tuple(name for name in COLUMNS if name != "kind")
# What a journey begun from nothing consists of: something to change on the canvas.
BLANK = {
    "trigger": {"kind": "event", "event": "purchase"},
    "first": "wait-1",
    "steps": {"wait-1": {"kind": "wait", "minutes": 24 * 60, "ways": {}}},
}


class JourneyForm(CampaignForm):
    """The campaign's fields that a journey has, and its own."""

    # What says when a campaign leaves; of a journey its steps say that.
    kind = every = unit = at = event = event_name = after_minutes = unless = None  # type: ignore[assignment]
    again = select(_("a person may enter again"), Journey.Again.choices)
    again_after_days = number(_("but not before, in days"), 0, 3650, initial=0, required=False)
    leave_at_goal = forms.BooleanField(
        label=_("ends when the goal is reached"), required=False, initial=True, widget=UnfoldBooleanSwitchWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        journey = Journey.objects.filter(pk=self.instance.pk).first() if self.instance.pk else None
        if journey:
            own = {"again": journey.again, "again_after_days": journey.again_after.days}
            self.initial = {**self.initial, **own, "leave_at_goal": journey.leave_at_goal}

    def own(self) -> dict[str, Any]:
        """Return the columns of the journey itself."""
        told = self.cleaned_data
        after = timedelta(days=told.get("again_after_days") or 0)
        return {"again": told["again"], "again_after": after, "leave_at_goal": told["leave_at_goal"]}


def settings_form(page: Any, request: HttpRequest) -> type[JourneyForm]:
    """Return the form with the widgets of the admin."""
    made = modelform_factory(
        Campaign,
        form=JourneyForm,
        fields=FIELDS,
        formfield_callback=partial(page.formfield_for_dbfield, request=request),
    )
    return cast("type[JourneyForm]", made)


def shown(page: Any, form: forms.BaseForm) -> helpers.AdminForm:
    """Return the form as the admin's pages lay one out."""
    return helpers.AdminForm(cast("Any", form), list(STEPS), {}, (), model_admin=page)


class StartForm(forms.Form):
    """What is asked before a journey is begun from one of those to start from."""

    name = forms.CharField(label=_("name"), max_length=120, widget=UnfoldAdminTextInputWidget)
    purpose = forms.ModelChoiceField(
        label=_("purpose"), queryset=Purpose.objects.none(), widget=UnfoldAdminSelectWidget, empty_label=None
    )
    segment = forms.ModelChoiceField(
        label=_("who may enter"),
        queryset=Segment.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label=_("as this start proposes"),
    )
    channels = forms.MultipleChoiceField(label=_("channels"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, of: Starter, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of = of
        fields = cast("dict[str, Any]", self.fields)
        fields["purpose"].queryset = Purpose.objects.active().order_by("code")
        fields["segment"].queryset = Segment.objects.offered().order_by("name")
        fields["channels"].choices = [(one.value, one.label) for one in starting.WRITTEN]
        self.initial = {
            "name": str(of.title),
            "purpose": starting.purpose_for(of),
            "channels": starting.channels(),
            **self.initial,
        }
        for field in self.fields.values():
            field.label = capfirst(field.label)

    def begin(self, by: Any, now: Any) -> Journey | None:
        """Begin the journey; what stands against it becomes an error of the form."""
        told = self.cleaned_data
        try:
            return starting.begin(
                self.of,
                name=told["name"],
                purpose=told["purpose"],
                on=told["channels"],
                by=by,
                now=now,
                segment=told["segment"],
            )
        except ValidationError as error:
            self.add_error(None, error.messages)
            return None


def blank(form: JourneyForm, by: Any, now: Any) -> Journey:
    """Begin a journey from nothing."""
    campaign = form.save(commit=False)
    campaign.kind, campaign.created_by, campaign.created_at = Campaign.Kind.JOURNEY, by, now
    campaign.save()
    journey = Journey.objects.create(campaign=campaign, **form.own())
    versions.save(journey, BLANK, by, now)
    return journey
