"""What was learned: versions of models, how they were judged, and what they say of people."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.expressions import CombinedExpression
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from crm.models import Item, JobRun, Profile
from mlengine import shop_rules  # noqa: F401 (Django finds its model here)


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def champion(self, spec: str) -> "ModelVersion | None":
        return self.filter(spec=spec, stage=ModelVersion.Stage.CHAMPION).first()

    def by_spec(self, stage: str) -> "dict[str, ModelVersion]":
        """Return the champion, or the challenger, of each spec that has one."""
        return {version.spec: version for version in self.filter(stage=stage)}

    def challenger(self, spec: str) -> "ModelVersion | None":
        """Return the version that answers in the champion's shadow, where nobody reads it."""
        return self.filter(spec=spec, stage=ModelVersion.Stage.CHALLENGER).first()

    def unjudged_challenger(self, spec: str) -> "ModelVersion | None":
        """Return a challenger that nobody but a person may take out of the shadow: it has not had its say."""
        waiting = self.filter(spec=spec, stage=ModelVersion.Stage.CHALLENGER)
        return waiting.exclude(metrics__kind=Metric.Kind.SHADOW).first()

    def champion_before(self, spec: str) -> "ModelVersion | None":
        """Return the version that served last of those older than the present champion: where one goes back to.

        Never a newer one: somebody who went back from it would be offered what he left.
        """
        champion = self.champion(spec)
        if champion is None:
            return None
        served = self.filter(spec=spec, stage=ModelVersion.Stage.RETIRED, promoted_at__isnull=False)
        served = served.filter(number__lt=champion.number)
        return served.order_by("-promoted_at", "-number").first()


class ModelVersion(models.Model):
    """One trained model: where its bytes are, what it learned from, and whether it serves."""

    class Stage(models.TextChoices):
        CANDIDATE = "candidate", _("candidate")
        CHALLENGER = "challenger", _("challenger")
        CHAMPION = "champion", _("champion")
        RETIRED = "retired", _("retired")

    spec = models.CharField(_("model"), max_length=64)
    number = models.PositiveIntegerField(_("version"))
    job = models.ForeignKey(JobRun, models.SET_NULL, null=True, blank=True, verbose_name=_("job"))
    artifact = models.CharField(_("artifact"), max_length=255, help_text=_("Directory below the artifact store."))
    sha256 = models.CharField("SHA-256", max_length=64)
    card = models.JSONField(_("card"), default=dict)
    stage = models.CharField(_("stage"), max_length=16, choices=Stage, default=Stage.CANDIDATE)
    decision = models.CharField(_("why it was promoted or not"), max_length=500, blank=True)
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, verbose_name=_("promoted by")
    )
    cutoff = models.DateTimeField(_("learned until"))
    trained_at = models.DateTimeField(_("trained"))
    promoted_at = models.DateTimeField(_("promoted"), null=True, blank=True)
    held = models.BooleanField(
        _("held"),
        default=False,
        db_default=False,
        help_text=_("A person went back to it: what is trained later runs in its shadow until a person promotes it."),
    )

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        permissions = [("override_fairness", _("Can let a model serve that treats groups of people unequally"))]
        constraints = [
            models.UniqueConstraint(fields=["spec", "number"], name="mlengine_version_number_once"),
            models.UniqueConstraint(fields=["spec"], condition=Q(stage="champion"), name="mlengine_one_champion"),
            models.UniqueConstraint(fields=["spec"], condition=Q(stage="challenger"), name="mlengine_one_challenger"),
        ]

    def __str__(self) -> str:
        return f"{self.spec} v{self.number}"


class Metric(models.Model):
    """One figure about a model version: from the backtest, from live predictions, or a drift."""

    class Kind(models.TextChoices):
        BACKTEST = "backtest", _("backtest")
        LIVE = "live", _("live")
        DRIFT = "drift", _("drift")
        SHADOW = "shadow", _("beside the champion")
        FIT = "fit", _("fit")

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="metrics", verbose_name=_("model version"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    subject = models.CharField(_("of"), max_length=64, help_text=_("The model itself, or a baseline's name."))
    name = models.CharField(_("metric"), max_length=64)
    value = models.FloatField(_("value"))
    low = models.FloatField(_("lower bound"), null=True)
    high = models.FloatField(_("upper bound"), null=True)
    cutoff = models.DateTimeField(_("cutoff"))

    class Meta:
        verbose_name = _("metric")
        verbose_name_plural = _("metrics")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "kind", "subject", "name", "cutoff"], name="mlengine_metric_measured_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4f}"


class PredictionRunQuerySet(models.QuerySet["PredictionRun"]):
    def finished(self) -> Self:
        """Return the runs that readers may see: whole, and not made in the champion's shadow."""
        return self.whole().filter(shadow=False)

    def whole(self) -> Self:
        """Return the runs that were written to the end, those of challengers among them."""
        return self.filter(finished_at__isnull=False)

    def ripe(self, spec: str, *, cutoff: datetime) -> Self:
        """Return runs whose labels are known (made at or before ``cutoff``) and that nobody has judged."""
        return self.whole().filter(spec=spec, cutoff__lte=cutoff, judged_at__isnull=True)

    def latest_finished(self, spec: str) -> "PredictionRun | None":
        """Return the run that readers use: a batch appears at once, or not at all.

        The champion's latest run, so that going back to an earlier version takes back its successor's answers; until
        a new champion has answered, what the others said last.
        """
        return self.latest_of([spec]).first()

    def latest_of(self, specs: list[str]) -> Self:
        """Return the run that readers use of each of the specs."""
        champion_first = models.Case(models.When(version__stage=ModelVersion.Stage.CHAMPION, then=0), default=1)
        finished = self.finished().filter(spec__in=specs).order_by("spec", champion_first, "-cutoff", "-pk")
        return finished.distinct("spec")

    def latest_before(self, run: "PredictionRun") -> "PredictionRun | None":
        """Return the run that readers used before this one, to tell who moved."""
        earlier = self.finished().filter(spec=run.spec, cutoff__lte=run.cutoff).exclude(pk=run.pk)
        return earlier.order_by("-cutoff", "-pk").first()


class PredictionRun(models.Model):
    """One batch of answers by one model version for everybody; invisible until finished."""

    spec = models.CharField(_("model"), max_length=64)
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="runs", verbose_name=_("model version"))
    job = models.ForeignKey(JobRun, models.SET_NULL, null=True, blank=True, verbose_name=_("job"))
    rows = models.PositiveBigIntegerField(_("rows"), default=0)
    summary = models.JSONField(_("summary"), default=dict, help_text=_("What the dashboard shows of it."))
    shadow = models.BooleanField(
        _("in the shadow"), default=False, db_default=False, help_text=_("By a challenger: judged, and read by nobody.")
    )
    lineage = models.JSONField(
        _("made from"),
        default=dict,
        db_default={},
        help_text=_("Which data and which code: the way back from a score."),
    )
    cutoff = models.DateTimeField(_("cutoff"))
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    judged_at = models.DateTimeField(_("judged by what came after"), null=True, blank=True)

    objects = PredictionRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("prediction run")
        verbose_name_plural = _("prediction runs")
        constraints = [models.UniqueConstraint(fields=["version", "cutoff"], name="mlengine_answers_once")]
        indexes = [models.Index(fields=["spec", "-cutoff"], name="mlengine_latest_run")]

    def __str__(self) -> str:
        return f"{self.spec} {timezone.localtime(self.cutoff):%Y-%m-%d}"

    @cached_property
    def currency(self) -> str:
        """The currency of its amounts: of what its model learned from."""
        kept = ModelVersion.objects.filter(pk=self.version_id).values_list("card__data__currency", flat=True)
        return kept.first() or str(settings.CURRENCY)

    def add_to_summary(self, **facts: Any) -> None:
        """Put facts into the summary, beside those that others may have put there since this row was read."""
        added = CombinedExpression(F("summary"), "||", Value(facts, models.JSONField()), models.JSONField())
        PredictionRun.objects.filter(pk=self.pk).update(summary=added)
        self.refresh_from_db(fields=["summary"])


class TrialQuerySet(models.QuerySet["Trial"]):
    def of_latest(self, spec: str) -> Self:
        """Return the trials of the latest search for a spec, as they were made."""
        latest = self.filter(spec=spec).order_by("-pk").values("job_id")[:1]
        return self.filter(spec=spec, job__in=latest).order_by("number", "rung")


class Trial(models.Model):
    """One recipe that a search tried with some effort, and how it did; a search that was killed goes on from these."""

    spec = models.CharField(_("model"), max_length=64)
    job = models.ForeignKey(JobRun, models.CASCADE, verbose_name=_("job"))
    number = models.PositiveIntegerField(_("trial"), help_text=_("0 is the recipe in use."))
    rung = models.PositiveSmallIntegerField(_("round"), help_text=_("The better third goes on to the next one."))
    parameters = models.JSONField(_("parameters"), default=dict)
    cutoffs = models.PositiveSmallIntegerField(_("dates judged at"))
    value = models.FloatField(_("value"), null=True, help_text=_("Mean over the dates; empty where it failed."))
    seconds = models.FloatField(_("seconds"))
    error = models.CharField(_("error"), max_length=300, blank=True)

    objects = TrialQuerySet.as_manager()

    class Meta:
        verbose_name = _("search trial")
        verbose_name_plural = _("search trials")
        constraints = [models.UniqueConstraint(fields=["job", "number", "rung"], name="mlengine_tried_once")]

    def __str__(self) -> str:
        return f"{self.spec} #{self.number}"


class Answer(models.Model):
    """What every answer about a person has: the batch it belongs to, and whom it is about.

    Foreign keys are not enforced by the database: a batch of a million rows is written by COPY from resolved ids, and
    deleting a run or a profile deletes its answers in one statement.
    """

    profile = models.ForeignKey(Profile, models.CASCADE, db_constraint=False, db_index=False, verbose_name=_("profile"))
    run = models.ForeignKey(PredictionRun, models.CASCADE, db_constraint=False, db_index=False, verbose_name=_("run"))

    class Meta:
        abstract = True


class Score(Answer):
    """A probability or value for one person, with its 95 % interval and other numbers where the model gives them."""

    pk = models.CompositePrimaryKey("profile_id", "run_id")
    value = models.FloatField(_("value"))
    low = models.FloatField(_("lower bound"), null=True)
    high = models.FloatField(_("upper bound"), null=True)
    facts = models.JSONField(_("facts"), null=True, help_text=_("Numbers beside the score, by name."))
    reasons = models.JSONField(
        _("reasons"), null=True, help_text=_("Up to three: code, contribution, numbers; stored for those at most risk.")
    )

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("scores")
        indexes = [models.Index(fields=["run", "-value"], name="mlengine_highest_scores")]

    def __str__(self) -> str:
        return f"{self.value:.3f}"


class Recommendation(Answer):
    """One item for one person, at a rank, with the reason."""

    pk = models.CompositePrimaryKey("profile_id", "run_id", "rank")
    item = models.ForeignKey(Item, models.CASCADE, db_constraint=False, db_index=False, verbose_name=_("item"))
    rank = models.PositiveSmallIntegerField(_("rank"))
    value = models.FloatField(_("score"))
    reason = models.JSONField(_("reason"), default=dict, help_text=_("A code and its numbers."))

    class Meta:
        verbose_name = _("recommendation")
        verbose_name_plural = _("recommendations")
        indexes = [models.Index(fields=["run"], name="mlengine_recommendation_run")]

    def __str__(self) -> str:
        return f"{self.rank}: {self.item_id}"


class Cluster(models.Model):
    """A group of people found by a model; its code stays the same between runs."""

    spec = models.CharField(_("model"), max_length=64)
    code = models.PositiveIntegerField(_("code"))
    name = models.JSONField(_("name"), default=dict, help_text=_("By language."))
    description = models.JSONField(_("description"), default=dict, help_text=_("By language."))
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("cluster")
        verbose_name_plural = _("clusters")
        constraints = [models.UniqueConstraint(fields=["spec", "code"], name="mlengine_cluster_code_once")]

    def __str__(self) -> str:
        return str(self.name.get("en", self.code))


class ClusterMember(Answer):
    """That a person belonged to a cluster in one run."""

    pk = models.CompositePrimaryKey("profile_id", "run_id")
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_index=False, verbose_name=_("cluster"))

    class Meta:
        verbose_name = _("cluster member")
        verbose_name_plural = _("cluster members")
        indexes = [models.Index(fields=["run", "cluster"], name="mlengine_cluster_members")]

    def __str__(self) -> str:
        return f"#{self.profile_id}"


class Repurchase(Answer):
    """When a person will likely want an item, or anything of a category, again."""

    pk = models.CompositePrimaryKey("profile_id", "run_id", "rank")
    rank = models.PositiveSmallIntegerField(_("rank"), help_text=_("The likeliest first."))
    item = models.ForeignKey(
        Item, models.CASCADE, null=True, db_constraint=False, db_index=False, verbose_name=_("item")
    )
    category = models.CharField(_("category"), max_length=100, help_text=_("The item's; or all of it, without item."))
    probability = models.FloatField(_("probability"), help_text=_("That it happens within the horizon."))
    times = models.PositiveIntegerField(_("times bought"))
    every_days = models.FloatField(_("usually every (days)"))
    last_on = models.DateField(_("last bought"))
    due_on = models.DateField(_("due"), help_text=_("As likely before as after."))
    due_from = models.DateField(_("not before"), help_text=_("With three chances of four."))
    due_until = models.DateField(_("not after"), help_text=_("With three chances of four."))

    class Meta:
        verbose_name = _("repurchase")
        verbose_name_plural = _("repurchases")
        indexes = [models.Index(fields=["run", "due_on"], name="mlengine_repurchases_due")]

    def __str__(self) -> str:
        return f"{self.item_id or self.category}: {self.due_on}"


class ItemLink(models.Model):
    """That one item leads to another, as one run found it in what everybody bought and looked at."""

    class Kind(models.TextChoices):
        TOGETHER = "together", _("bought together")
        SIMILAR = "similar", _("bought by the same people")
        NEXT = "next", _("looked at next")

    pk = models.CompositePrimaryKey("run_id", "item_id", "kind", "rank")
    run = models.ForeignKey(PredictionRun, models.CASCADE, db_constraint=False, db_index=False, verbose_name=_("run"))
    item = models.ForeignKey(
        Item, models.CASCADE, related_name="+", db_constraint=False, db_index=False, verbose_name=_("item")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    rank = models.PositiveSmallIntegerField(_("rank"))
    other = models.ForeignKey(
        Item, models.CASCADE, related_name="+", db_constraint=False, db_index=False, verbose_name=_("other item")
    )
    value = models.FloatField(_("strength"))
    people = models.PositiveIntegerField(_("people"), help_text=_("How many did both."))

    class Meta:
        verbose_name = _("item link")
        verbose_name_plural = _("item links")

    def __str__(self) -> str:
        return f"{self.item_id} → {self.other_id}"
