"""What the models can be asked, in a marketer's words, each with its state and what can be done with the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mlengine.admin.words import spec_title
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import SPECS

Rule = Mapping[str, Any]
HIGHEST_FIFTH: Final = {"is": "top_share", "value": 0.2}
HELPED: Final[Rule] = {"score": "uplift", "fact": "low", "is": "at_least", "value": 0}  # beyond chance


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page about an answer: its address by name, what leads there, and who may open it."""

    address: str
    words: Any
    permissions: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, and whom a segment begins with that is made from its answer; rules are changed as one likes.

    ``with_lever`` is such a segment of whom a campaign helps besides, ``page`` what the answer is told on at length.
    """

    words: Any
    icon: str
    rule: Rule | None = None
    with_lever: bool = False
    page: Page | None = None


@dataclass(frozen=True, kw_only=True)
class Answerable:
    """A question as the dashboard shows it: what state its answer is in, and where it leads."""

    title: str
    words: str
    icon: str
    state: str
    is_answered: bool
    links: Sequence[tuple[str, str]]


LISTS_OF_ONE: Final = Page(
    address="admin:mlengine_recommendation_preview",
    words=gettext_lazy("Try on a person"),
    permissions=("mlengine.view_recommendation", "crm.view_profile"),
)
QUESTIONS: Final[Mapping[str, Question]] = {
    "churn": Question(
        words=gettext_lazy("Who is about to leave?"),
        icon="logout",
        rule={"score": "churn", **HIGHEST_FIFTH},
        with_lever=True,
    ),
    "staying_away": Question(
        words=gettext_lazy("Who will stay away, and for how long?"),
        icon="hourglass_empty",
        rule={"score": "staying_away", **HIGHEST_FIFTH},
        with_lever=True,
    ),
    "rfm": Question(words=gettext_lazy("Who are our best, and whom are we losing?"), icon="bubble_chart"),
    "clusters": Question(words=gettext_lazy("Which people are alike?"), icon="workspaces"),
    "value": Question(
        words=gettext_lazy("What will each of them spend?"), icon="payments", rule={"score": "value", **HIGHEST_FIFTH}
    ),
    "response": Question(
        words=gettext_lazy("Who clicks what we send, and when and where?"),
        icon="ads_click",
        rule={"score": "response", **HIGHEST_FIFTH},
    ),
    "conversion": Question(
        words=gettext_lazy("Who orders after what we send, be it for that or not?"),
        icon="shopping_cart_checkout",
        rule={"score": "conversion", **HIGHEST_FIFTH},
    ),
    "redemption": Question(
        words=gettext_lazy("Who uses a coupon of what we send next?"),
        icon="confirmation_number",
        rule={"score": "redemption", **HIGHEST_FIFTH},
    ),
    "uplift": Question(
        words=gettext_lazy("Whom does a campaign make buy, and whom would it only bother?"),
        icon="trending_up",
        rule={"score": "uplift", "is": "top_share", "value": 0.3},
        page=Page(
            address="admin:mlengine_effects",
            words=gettext_lazy("What it would bring"),
            permissions=("mlengine.view_modelversion",),
        ),
    ),
    "companions": Question(words=gettext_lazy("Which items go together?"), icon="join_inner"),
    "repurchase": Question(
        words=gettext_lazy("What do they need again, and when?"),
        icon="autorenew",
        rule={"repurchase": {}, "due_within_days": 7},
        page=Page(
            address="admin:mlengine_repurchase_due",
            words=gettext_lazy("By category"),
            permissions=("mlengine.view_repurchase", "crm.view_profile"),
        ),
    ),
    "recommendations": Question(words=gettext_lazy("What will they buy next?"), icon="recommend", page=LISTS_OF_ONE),
    "discovery": Question(words=gettext_lazy("What new things will they try?"), icon="explore", page=LISTS_OF_ONE),
}


def answerable(user: Any) -> list[Answerable]:
    """Return the questions that somebody may see the answers of, in the order of ``SPECS``."""
    if not user.has_perm("mlengine.view_predictionrun"):
        return []
    runs = {run.spec: run for run in PredictionRun.objects.latest_of(list(SPECS))}
    trained = set(ModelVersion.objects.values_list("spec", flat=True))
    return [
        _shown(name, QUESTIONS[name], runs.get(name), trained=name in trained, user=user)
        for name in SPECS
        if name in QUESTIONS
    ]


def _shown(name: str, question: Question, run: PredictionRun | None, *, trained: bool, user: Any) -> Answerable:
    return Answerable(
        title=spec_title(name),
        words=str(question.words),
        icon=question.icon,
        state=_state(run, trained=trained),
        is_answered=run is not None,
        links=[*_told_at_length(question, user), *_answers(name, run, user), *_uses(question, run, user)],
    )


def _state(run: PredictionRun | None, *, trained: bool) -> str:
    if run is not None:
        return _("answered up to %s") % date_format(localtime(run.cutoff), "DATE_FORMAT")
    return _("learned, but not good enough to answer") if trained else _("nothing learned yet")


def _answers(name: str, run: PredictionRun | None, user: Any) -> list[tuple[str, str]]:
    links = []
    if run is not None and SPECS[name].answers == "cluster" and user.has_perm("mlengine.view_cluster"):
        links.append((_("The segments"), f"{reverse('admin:mlengine_cluster_changelist')}?spec={name}"))
    elif run is not None:
        links.append((_("The answers"), reverse("admin:mlengine_predictionrun_change", args=[run.pk])))
    if user.has_perm("mlengine.view_modelversion"):
        place = (
            reverse("admin:mlengine_modelversion_change", args=[run.version_id])
            if run
            else f"{reverse('admin:mlengine_modelversion_changelist')}?spec={name}"
        )
        links.append((_("How good it is"), place))
    return links


def _uses(question: Question, run: PredictionRun | None, user: Any) -> list[tuple[str, str]]:
    if run is None or question.rule is None:
        return []
    made = [(_("Make a segment"), begun(question.rule, user=user))]
    if question.with_lever:
        made.append((_("… whom a campaign helps"), begun_with_lever(question, user)))
    return [(words, address) for words, address in made if address]


def _told_at_length(question: Question, user: Any) -> list[tuple[str, str]]:
    if question.page is None or not user.has_perms(question.page.permissions):
        return []
    return [(str(question.page.words), reverse(question.page.address))]


def begun(*rules: Rule, user: Any) -> str:
    """Return where a segment begins that all rules hold for; nothing for who may not make one."""
    if not user.has_perm("campaigns.add_segment"):
        return ""
    return f"{reverse('admin:campaigns_segment_add')}?{urlencode({'rule': orjson.dumps({'all': rules}).decode()})}"


def begun_with_lever(question: Question, user: Any) -> str:
    """Return where a segment begins of whom a question is about and a campaign helps; nothing where no trial tells."""
    if question.rule is None or PredictionRun.objects.latest_finished("uplift") is None:
        return ""
    return begun(question.rule, HELPED, user=user)
