"""A journey is begun: from one of those to start from, with drafts of its messages and its segment, or from nothing.

Everything is a draft: texts are changed as those of any template, steps on the canvas, and nothing walks before two
people have looked at it.
"""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from campaigns.journeys import versions
from campaigns.journeys.starter_words import MESSAGES
from campaigns.journeys.starters import STARTERS, Setting, Starter
from campaigns.models import Campaign, ChannelAccount, Journey, Segment, Template
from campaigns.segmenting import segments
from campaigns.templating import template_saving
from crm.models import Channel, Purpose

WRITTEN = (Channel.EMAIL, Channel.WECHAT, Channel.SMS)  # the channels that the messages to start from have forms for
LONGEST_NAME = 120


def templates() -> list[Starter]:
    """Return the journeys to start from."""
    return list(STARTERS)


def starter(key: str) -> Starter:
    """Return the journey to start from with this key.

    Raises
    ------
    LookupError
        There is none.
    """
    for one in STARTERS:
        if one.key == key:
            return one
    raise LookupError(key)


def channels() -> list[str]:
    """Return the channels that messages to start from can go by here, e-mail where no account works yet."""
    working = [channel for channel in WRITTEN if ChannelAccount.objects.working(channel).exists()]
    return [str(channel) for channel in working] or [Channel.EMAIL.value]


def purpose_for(of: Starter) -> Purpose | None:
    """Return the purpose that a journey would serve: the first active one of its kind."""
    return Purpose.objects.active().filter(kind=of.purpose).order_by("pk").first()


def begin(
    of: Starter,
    *,
    name: str,
    purpose: Purpose,
    on: Sequence[str],
    by: User | None,
    now: datetime,
    segment: Segment | None = None,
) -> Journey:
    """Return a new journey as a draft, with drafts of its messages in both languages and a first version.

    ``on`` are the channels, the first that works for a person; ``segment`` is who may enter, if not the starter's.

    Raises
    ------
    django.core.exceptions.ValidationError
        The name is taken, or a channel has no form of the messages.
    """
    _check(name, on)
    with transaction.atomic():
        campaign = Campaign(
            name=name,
            kind=Campaign.Kind.JOURNEY,
            purpose=purpose,
            segment=segment or _segment(of, name, by, now),
            channels=list(on),
            goal=of.goal,
            attribution_window=of.window,
            created_by=by,
            created_at=now,
        )
        campaign.full_clean(exclude=["created_by", "created_at"], validate_constraints=False)
        campaign.save()
        journey = Journey.objects.create(
            campaign=campaign, again=of.again, again_after=of.again_after, leave_at_goal=of.leave_at_goal
        )
        written = {message: _template(message, name, by, now) for message in of.messages}
        tree = of.graph(Setting(purpose=purpose.code, channels=list(on), templates=written))
        versions.save(journey, tree, by, now, note=_("From “%(title)s”") % {"title": of.title})
    return journey


def _check(name: str, on: Sequence[str]) -> None:
    if Campaign.objects.filter(name=name).exists():
        raise ValidationError({"name": _("There is a campaign of this name already.")})
    if not on or set(on) - set(WRITTEN):
        raise ValidationError({"channels": _("Its messages are written for e-mail, WeChat and SMS.")})


def _segment(of: Starter, name: str, by: User | None, now: datetime) -> Segment:
    made = Segment.objects.create(
        name=_free(Segment, _("%(journey)s: who may enter") % {"journey": name}), created_by=by, created_at=now
    )
    segments.save(made, dict(of.rule), by, now)
    return made


def _template(message: str, name: str, by: User | None, now: datetime) -> int:
    """Write a draft of a message; return its version."""
    said = MESSAGES[message]
    title = said.en.subject if "{" not in said.en.subject else message.replace("_", " ")
    made = Template.objects.create(
        name=_free(Template, f"{name}: {title}"),
        description=_("Written as a start: read it, and make it yours."),
        created_by=by,
        created_at=now,
    )
    return template_saving.save(made, said.forms(), {}, by=by, now=now).pk


def _free(of: type[Model], name: str) -> str:
    """Return a name that no row of a model has, with a number behind it where needed."""
    rows = of._default_manager
    cut = name[: LONGEST_NAME - 6]
    for number in range(1, 10_000):
        tried = cut if number == 1 else f"{cut} {number}"
        if not rows.filter(name=tried).exists():
            return tried
    raise AssertionError(name)
