"""What is wrong with the steps of a journey before anybody walks them: in words, each at its step."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.utils.translation import gettext

from campaigns.journeys import loops, message_checking
from campaigns.journeys.graph import BestHour, Condition, Goal, Graph, Send, Split, Webhook
from campaigns.models import Journey, Segment, SegmentVersion, WebhookEndpoint
from campaigns.rules import RuleError, references
from campaigns.rules.nodes import InCluster, NeedsAgain, Rule, Scored
from campaigns.runs import requirements
from campaigns.segmenting import segments
from crm.models import Event
from mlengine.models import PredictionRun
from mlengine.specs import SPECS

# What we write ourselves of journeys and messages starts no journey: it could answer its own.
NO_TRIGGERS = frozenset({Event.Kind.ASSIGNED, Event.Kind.SENT, Event.Kind.JOURNEY_STEP})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong at a step, or with the whole where there is none, and whether it can be walked all the same."""

    step: str
    text: str
    blocking: bool = True

    def __str__(self) -> str:
        return f"{self.step}: {self.text}" if self.step else self.text


def findings(journey: Journey, graph: Graph) -> list[Finding]:
    """Return what is wrong with a journey of these steps, what keeps it from being walked first."""
    found = [
        *_rounds(graph),
        *_unreachable(graph),
        *_trigger(journey, graph),
        *_rules(graph),
        *_messages(journey, graph),
        *_goal(journey, graph),
        *_helpers(graph),
    ]
    return sorted(found, key=lambda one: not one.blocking)


def refuse_rounds(graph: Graph) -> None:
    """Refuse steps that could be walked round for ever, or at any speed.

    Raises
    ------
    campaigns.rules.RuleError
        At the first step of such a round.
    """
    for one in _rounds(graph):
        raise RuleError(f"steps.{one.step}", one.text)


def segments_of(graph: Graph) -> list[SegmentVersion]:
    """Return the present versions of all segments that the rules of the steps name, however far.

    Raises
    ------
    campaigns.rules.RuleError
        One of them is not there.
    """
    found = {one.pk: one for _step, rule in _all_rules(graph) for one in references.versions(rule)}
    return list(found.values())


def _rounds(graph: Graph) -> Iterator[Finding]:
    for part in loops.without_end(graph):
        yield Finding(step=part[0], text=gettext("Nobody ever leaves this round: %(steps)s.") % _named(graph, part))
    for part in loops.without_wait(graph):
        said = gettext("Somebody could go round here without a wait of an hour: %(steps)s.")
        yield Finding(step=part[0], text=said % _named(graph, part))


def _named(graph: Graph, part: tuple[str, ...]) -> dict[str, str]:
    return {"steps": ", ".join(graph.steps[step].title or step for step in part)}


def _unreachable(graph: Graph) -> Iterator[Finding]:
    for step in sorted(graph.steps.keys() - loops.reached(graph, graph.first) - {graph.first}):
        yield Finding(step=step, text=gettext("No way leads here."))


def _trigger(journey: Journey, graph: Graph) -> Iterator[Finding]:
    segment = journey.campaign.segment
    yield from (Finding(step="", text=text) for text in requirements.of_segment(segment))
    if segment.current is not None:
        with suppress(RuleError):  # its own page says what is wrong with it
            yield from _scores("", references.resolved(segments.rule_of(segment)))
    if graph.trigger.kind == "event" and graph.trigger.event in NO_TRIGGERS:
        yield Finding(step="", text=gettext("What we write ourselves of journeys and messages lets nobody in."))


def _all_rules(graph: Graph) -> Iterator[tuple[str, Rule]]:
    for step in graph.of(Condition):
        yield step.key, step.rule
    for split in graph.of(Split):
        yield from ((split.key, rule) for _name, rule in split.branches)


def _rules(graph: Graph) -> Iterator[Finding]:
    for step, rule in _all_rules(graph):
        try:
            whole = references.resolved(rule)
        except RuleError as error:
            yield Finding(step=step, text=error.reason)
            continue
        yield from _scores(step, whole)
        for segment in Segment.objects.filter(pk__in=references.named(rule)).exclude(archived_at=None):
            yield Finding(step=step, text=gettext("The segment “%(name)s” is archived.") % {"name": segment})


def _scores(step: str, rule: Rule) -> Iterator[Finding]:
    """Say which scores a rule asks for that no model has given yet: it describes nobody until then."""
    asked = {one.spec for one in references.conditions(rule) if isinstance(one, Scored | InCluster)}
    asked |= {"repurchase" for one in references.conditions(rule) if isinstance(one, NeedsAgain)}
    there = set(PredictionRun.objects.finished().filter(spec__in=asked).values_list("spec", flat=True))
    for spec in sorted(asked - there):
        said = gettext("No model has answered “%(spec)s” yet: until then the rule describes nobody.")
        named = gettext(SPECS[spec].title) if spec in SPECS else spec
        yield Finding(step=step, text=said % {"spec": named}, blocking=False)


def _messages(journey: Journey, graph: Graph) -> Iterator[Finding]:
    for step in graph.of(Send):
        for text in message_checking.problems(journey.campaign, step):
            yield Finding(step=step.key, text=text)


def _goal(journey: Journey, graph: Graph) -> Iterator[Finding]:
    if not journey.leave_at_goal and not graph.of(Goal):
        said = gettext("No step is the goal, and who does what the journey is for walks on: nobody ever reaches it.")
        yield Finding(step="", text=said, blocking=False)


def _helpers(graph: Graph) -> Iterator[Finding]:
    """Say where a step relies on something that is not there yet."""
    best = graph.of(BestHour)
    for step in best if best and PredictionRun.objects.latest_finished("response") is None else ():
        said = gettext("No model says which hour is best for whom: people wait until their night is over.")
        yield Finding(step=step.key, text=said, blocking=False)
    if graph.of(Webhook) and not WebhookEndpoint.objects.filter(kinds__contains=["journey.step"]).exists():
        for hook in graph.of(Webhook):
            said = gettext("No other system asks to be told of steps of journeys.")
            yield Finding(step=hook.key, text=said, blocking=False)
