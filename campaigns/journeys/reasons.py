"""Why somebody's way through a journey ended before its end."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reason(models.TextChoices):
    """Codes that stand in the rows."""

    TOO_MANY_STEPS = "too_many_steps", _("went round too often")
    NO_SUCH_STEP = "no_such_step", _("the step is gone")
    TEMPLATE_GONE = "template_gone", _("the step's message was archived")
    ERROR = "error", _("something unforeseen happened at the step")
    RULE = "rule", _("the step's rule cannot be read any more")
    PERMANENT_HOLDOUT = "permanent_holdout", _("belongs to the permanent holdout")
    REMOVED = "removed", _("taken out by a person")
    CANCELLED = "cancelled", _("the journey was cancelled")
    MERGED = "merged", _("was read as somebody else who is on the way, too")


class Refusal(models.TextChoices):
    """Why somebody was not let into a journey."""

    NOT_RUNNING = "not_running", _("the journey does not run")
    NOT_BY_CALL = "not_by_call", _("the journey is not begun by a call")
    DRAINING = "draining", _("nobody enters the journey any more")
    UNKNOWN = "unknown", _("there is no such person any more")
    NOT_MEANT = "not_meant", _("does not belong to the journey's segment")
    ON_THE_WAY = "on_the_way", _("is on the way through it already")
    BEEN_BEFORE = "been_before", _("was in it before, and enters once only")
    TOO_SOON = "too_soon", _("was in it too short a time ago")
