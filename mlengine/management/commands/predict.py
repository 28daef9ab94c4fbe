"""Let champions answer for everybody, here and now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mlengine.management.arguments import add_spec_and_cutoff, asked, made_here


class Command(BaseCommand):
    """Predict by one spec's champion, or by all, at the cutoff (by default the end of the data)."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        add_spec_and_cutoff(parser)

    def handle(self, **options: Any) -> None:
        from mlengine import jobs, prediction
        from mlengine.models import PredictionRun
        from mlengine.reporting import line_of

        failed = []
        for spec in asked(options):
            job = made_here(jobs.PREDICT, spec, options)
            if not prediction.run(job, timezone.now):
                failed.append(f"{spec}: {job.error}")
                continue
            made = PredictionRun.objects.select_related("version").get(pk=job.result["run"])
            self.stdout.write(f"{made.version} at {timezone.localtime(made.cutoff):%Y-%m-%d}: {made.rows:,} answers")
            self.stdout.write(line_of(job.result["seconds"]))
        if failed:
            raise CommandError("\n".join(failed))
