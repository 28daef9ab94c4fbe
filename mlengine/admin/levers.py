"""What would keep somebody who is likely to leave: which channel a campaign helps most by, or that no trial tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from crm import profiling, whiskers
from crm.models import Channel
from mlengine.admin import amounts
from mlengine.admin.effect_words import hundred
from mlengine.models import PredictionRun, Score

LEAVING: Final = ("churn", "staying_away")  # models whose highest scores are of who goes
LIKELY: Final = 0.2  # of those scored, the highest; as a segment of them begins
UPLIFT: Final = "uplift"
BY: Final = "effect_"


@dataclass(frozen=True, kw_only=True)
class Lever:
    """What a campaign does to somebody by one channel: more of 100 like her who buy."""

    channel: str
    title: str
    value: float
    low: float | None
    high: float | None

    @property
    def helps(self) -> bool:
        """Whether it does so beyond chance."""
        return self.low is not None and self.low > 0

    @property
    def text(self) -> str:
        return amounts.amount(self.value, "effect")

    @property
    def between(self) -> str:
        return amounts.span(self.low, self.high, "effect")


@dataclass(frozen=True, kw_only=True)
class Levers:
    """What is known of one person: the channels, the most helpful first, and what that amounts to in a sentence."""

    state: str  # "helps", "unsure", "bothers" or "untold"
    sentence: str
    rows: Sequence[whiskers.Whisker] = ()


def of_score(score: Score | None) -> list[Lever]:
    """Return the channels that a score of uplift knows, the most helpful first."""
    held: Mapping[str, float | None] = (score.facts if score else None) or {}
    found = [
        Lever(
            channel=channel,
            title=str(Channel(channel).label),
            value=value,
            low=held.get(f"{BY}{channel}_low"),
            high=held.get(f"{BY}{channel}_high"),
        )
        for channel in Channel.values
        if (value := held.get(f"{BY}{channel}")) is not None
    ]
    return sorted(found, key=lambda lever: -lever.value)


def of_person(scores: Sequence[Score]) -> Levers | None:
    """Return what would keep a person, by her latest scores; None for who is not likely to leave."""
    if not any(_is_likely(score) for score in scores if score.run.spec in LEAVING):
        return None
    score = next((one for one in scores if one.run.spec == UPLIFT), None)
    levers = of_score(score)
    if not levers:
        return Levers(state="untold", sentence=_untold(score))
    state = _state(levers)
    return Levers(state=state, sentence=_sentence(state, best(levers)), rows=_drawn(levers))


def best(levers: Sequence[Lever]) -> Lever:
    """Return the most helpful channel of those that help beyond chance, or of all where none does."""
    return next((lever for lever in levers if lever.helps), levers[0])


def of_people(profiles: Sequence[int]) -> dict[int, Lever]:
    """Return the most helpful channel of each of several people; who has none is left out. Two queries."""
    run = PredictionRun.objects.latest_finished(UPLIFT)
    if run is None:
        return {}
    scores = Score.objects.filter(run=run, profile__in=profiling.scored_of(profiles))
    return {score.profile_id: best(levers) for score in scores if (levers := of_score(score))}


def _is_likely(score: Score) -> bool:
    """Return whether a score is among the highest of its run."""
    above = Score.objects.filter(run=score.run, value__gt=score.value).count()
    return above < LIKELY * score.run.rows


def _state(levers: Sequence[Lever]) -> str:
    if any(lever.helps for lever in levers):
        return "helps"
    return "bothers" if all(lever.high is not None and lever.high < 0 for lever in levers) else "unsure"


def _sentence(state: str, lever: Lever) -> str:
    told = {"channel": lever.title, "effect": hundred(lever.value, signed=False)}
    match state:
        case "helps":
            helps = _("A campaign by %(channel)s does most: of 100 people like this one it makes %(effect)s more buy.")
            return helps % told
        case "bothers":
            return _("A campaign would only bother: by every channel that was tried, fewer people like this one buy.")
        case _:
            return _("No channel is known to help beyond chance; %(channel)s comes nearest.") % told


def _untold(score: Score | None) -> str:
    if score is not None:
        return _("By which channel a campaign helps was not tried on enough people yet.")
    if PredictionRun.objects.latest_finished(UPLIFT) is None:
        return _("No trial says what would keep anybody: no campaign that held people out by lot was learned from yet.")
    return _("No trial says what would keep this person: the model of campaigns answered for others only.")


def _drawn(levers: Sequence[Lever]) -> list[whiskers.Whisker]:
    return whiskers.drawn(
        [
            whiskers.Row(
                label=lever.title,
                note="",
                text=lever.text,
                span=None if lever.low is None or lever.high is None else (lever.value, lever.low, lever.high),
            )
            for lever in levers
        ]
    )
