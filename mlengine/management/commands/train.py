"""Train models, here and now, and print how they did beside their rivals."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mlengine.management.arguments import add_spec_and_cutoff, asked, made_here


class Command(BaseCommand):
    """Train one spec, or all of them, on what was known at the cutoff (by default the end of the data)."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        add_spec_and_cutoff(parser)

    def handle(self, **options: Any) -> None:
        from mlengine import jobs, training
        from mlengine.models import ModelVersion
        from mlengine.reporting import line_of, lines_of

        failed = []
        for spec in asked(options):
            job = made_here(jobs.TRAIN, spec, options)
            if not training.run(job, timezone.now):
                failed.append(f"{spec}: {job.error}")
                continue
            for line in lines_of(ModelVersion.objects.get(pk=job.result["version"])):
                self.stdout.write(line)
            self.stdout.write(line_of(job.result["seconds"]))
        if failed:
            raise CommandError("\n".join(failed))
