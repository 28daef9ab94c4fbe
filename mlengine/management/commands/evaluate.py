"""Judge predictions whose time has come, and print live figures beside those of the backtest."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from mlengine.management.arguments import add_spec, asked


class Command(BaseCommand):
    """Judge the runs whose labels are ripe, measure drift, and print how each model is."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        add_spec(parser)

    def handle(self, **options: Any) -> None:
        from mlengine import drifting, evaluation, monitoring
        from mlengine.models import PredictionRun
        from mlengine.specs import SPECS

        now = timezone.now()
        for name in asked(options):
            for run in evaluation.evaluate(SPECS[name], now=now):
                self.stdout.write(f"{run.version} at {timezone.localtime(run.cutoff):%Y-%m-%d}: judged")
            latest = PredictionRun.objects.latest_finished(name)
            if latest:
                drifting.measure(latest, SPECS[name])
        for health in monitoring.health(now):
            figures = {"backtest": health.backtest, **health.baselines, "live": health.live, "drift": health.drift}
            told = ", ".join(f"{what} {value:.4f}" for what, value in figures.items() if value is not None)
            self.stdout.write(
                f"{health.spec}: {health.metric} {told or 'not measured'}; {'; '.join(health.concerns) or 'well'}"
            )
