"""Search a better recipe for a model within a time budget, here and now, and print its trials."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mlengine.management.arguments import add_spec_and_cutoff, asked, made_here


class Command(BaseCommand):
    """Try recipes for one spec; the best one is trained and becomes a challenger."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        add_spec_and_cutoff(parser)
        parser.add_argument("--minutes", type=int, default=20, help="for the search; training its best comes on top")

    def handle(self, **options: Any) -> None:
        from mlengine import jobs, search
        from mlengine.models import Trial
        from mlengine.specs import SPECS

        for spec in asked(options):
            if not SPECS[spec].search:
                continue
            job = made_here(jobs.SEARCH, spec, options)
            job.parameters["minutes"] = options["minutes"]
            job.save(update_fields=["parameters"])
            done = search.run(job, timezone.now)
            for trial in Trial.objects.filter(job=job).order_by("rung", "number"):
                value = trial.error or (f"{trial.value:.4f}" if trial.value is not None else "-")
                self.stdout.write(
                    f"  round {trial.rung + 1} trial {trial.number:3} dates {trial.cutoffs} {trial.seconds:7.1f} s "
                    f"{value} {trial.parameters}"
                )
            if not done:
                raise CommandError(f"{spec}: {job.error}")
            self.stdout.write(f"  {job.result['found']} {job.result.get('decision', '')}")
