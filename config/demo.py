"""The loop once around, on real data: load, learn, predict, and say how good it is.

Each step looks first at what is there, so running the demo twice changes nothing. "Now" is the end of the data.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat
from multiprocessing import get_context
from secrets import token_urlsafe
from time import monotonic

import django
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.utils import timezone

from campaigns.demonstration import complete_journey as history
from campaigns.demonstration import synthetic, synthetic_journeys, synthetic_wechat
from campaigns.wechat import connecting
from config import imitation
from crm import assessments, complete_journey, lake, retention, sequencer, synthetic_consents
from crm.roles import create_groups
from mlengine import datasets, drifting, jobs, prediction, training
from mlengine.models import ModelVersion, PredictionRun, Score
from mlengine.specs import SPECS

# Who can log in afterwards: nobody approves a campaign of one's own, so there are two.
STAFF = {"admin": "Admin", "colleague": "Marketing"}
AT_RISK = 5
SAMPLE_IS_KEPT = timedelta(days=50 * 365)
AT_ONCE = 2


class DemoFailed(RuntimeError):
    """A step of the demo did not work; the message is its job's error."""


@dataclass(kw_only=True)
class Demo:
    """What the demo did, and how long each step took (seconds)."""

    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)  # of steps, where some run side by side
    loaded: list[complete_journey.Loaded] = field(default_factory=list)
    versions: list[ModelVersion] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)  # of the users that are new

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announce a step and time it."""
        self.say(name)
        began = monotonic()
        yield
        self.seconds[name] = monotonic() - began


def run(now: datetime, say: Callable[[str], None], base: str = "") -> Demo:
    """Load the sample, train and predict every spec, connect the imitation of WeChat, and make two users.

    ``base`` is where the admin will be reached, for the imitation's callbacks.

    Raises
    ------
    DemoFailed
        Training or predicting failed, with the reason.
    """
    demo = Demo(say=say)
    with demo.step("load Complete Journey"):
        demo.loaded = complete_journey.load(now)
    with demo.step("make up consents"):
        synthetic_consents.seed()
        sequencer.sequence(timezone.now())  # what was made up can be proven at once, without a worker
    with demo.step("load the sample's own campaigns"):
        history.load(now)
    with demo.step("export the lake"):
        lake.export(now, patience=jobs.PATIENCE)
    end = datasets.known_until(now)
    if end is None:
        raise DemoFailed("The log is empty after loading.")
    # The sample is of 2017: by the ordinary times retention would take it in the first night.
    retention.keep_sample(SAMPLE_IS_KEPT, purpose="demonstration", now=now)
    # Nobody has weighed anything: the reports say so themselves, and let the sample's models run.
    assessments.synthesise({spec.subject: spec.title for spec in SPECS.values()}, now)
    with demo.step("learn and predict"):
        _learn_all(demo, end, now)
    with demo.step("judge the sample's own campaigns"):
        _judge_all(now)
    with demo.step("make up addresses, and a campaign to try"):
        synthetic.seed(now)
    demo.passwords = make_staff()
    settings.PUBLIC_URL = settings.PUBLIC_URL or base  # where ``up`` will serve: messages have links
    with demo.step("walk two journeys"):
        synthetic_journeys.seed([User.objects.get(username=name) for name in STAFF], timezone.now())
    with demo.step("connect the imitation of WeChat"), imitation.running() as here:
        _imitate(here, base, say)
    with demo.step("measure drift"):
        for asked in SPECS.values():
            if latest := PredictionRun.objects.latest_finished(asked.name):
                drifting.measure(latest, asked)
    return demo


def _imitate(here: bool, base: str, say: Callable[[str], None]) -> None:
    """Connect the imitated accounts; the rest of the demonstration does without them where that cannot be."""
    try:
        if here:
            synthetic_wechat.seed(timezone.now(), base, [User.objects.get(username=name) for name in STAFF])
    except connecting.NoConnection:
        here = False
    if not here:
        say("    (it does not come up; connect it later, on the page of WeChat's followers)")


def make_staff() -> dict[str, str]:
    """Create the groups, a superuser and a colleague; return the passwords of those who were not there."""
    create_groups()
    made: dict[str, str] = {}
    for name, group in STAFF.items():
        if User.objects.filter(username=name).exists():
            continue
        made[name] = token_urlsafe(12)
        make = User.objects.create_superuser if group == "Admin" else User.objects.create_user
        make(name, password=made[name], is_staff=True).groups.add(Group.objects.get(name=group))
    return made


def most_at_risk(spec: str = "churn") -> list[Score]:
    """Return the highest scores of the latest run, with profiles and reasons."""
    latest = PredictionRun.objects.latest_finished(spec)
    if latest is None:
        return []
    return list(Score.objects.filter(run=latest).select_related("profile").order_by("-value")[:AT_RISK])


def _learn_all(demo: Demo, end: datetime, now: datetime) -> None:
    """Train and predict every spec, two at a time as a worker does, each in a process of its own."""
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn"), initializer=django.setup) as pool:
        longest_first = list(reversed(SPECS))
        learned = {spec: pool.submit(learn, spec, end, now) for spec in longest_first}
        for spec in SPECS:
            version, seconds = learned[spec].result()
            demo.versions += [ModelVersion.objects.get(pk=version)] if version else []
            demo.parts |= {f"{verb} {spec}": took for verb, took in seconds.items()}


def _judge_all(now: datetime) -> None:
    """Count the report of each of the sample's campaigns, two at a time."""
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn"), initializer=django.setup) as pool:
        list(pool.map(history.count, history.uncounted(), repeat(now)))


def learn(spec: str, end: datetime, now: datetime) -> tuple[int | None, dict[str, float]]:
    """Train and predict one spec; return its version's key, none where the sample cannot teach it, and the seconds."""
    began = monotonic()
    version = _trained(spec, end, now)
    trained = monotonic()
    _predicted(spec, end, now)
    return version.pk if version else None, {"train": trained - began, "predict": monotonic() - trained}


def _trained(spec: str, cutoff: datetime, now: datetime) -> ModelVersion | None:
    there = ModelVersion.objects.filter(spec=spec, cutoff=cutoff).order_by("-number").first()
    if there:
        return there
    job = jobs.recorded(jobs.TRAIN, SPECS[spec], cutoff=cutoff, now=now)
    if not training.run(job, timezone.now):
        if SPECS[spec].is_optional:
            return None  # its job's page says what is missing
        raise DemoFailed(job.error)
    return ModelVersion.objects.get(pk=job.result["version"])


def _predicted(spec: str, cutoff: datetime, now: datetime) -> None:
    champion = ModelVersion.objects.champion(spec)
    if champion is None or PredictionRun.objects.finished().filter(version=champion, cutoff=cutoff).exists():
        return
    job = jobs.recorded(jobs.PREDICT, SPECS[spec], cutoff=cutoff, now=now)
    if not prediction.run(job, timezone.now):
        raise DemoFailed(job.error)
