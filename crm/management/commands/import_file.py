"""Import a file of events, profiles or items."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from crm import imports
from crm.imports.mapping import Mapping, guess
from crm.models import JobRun, Source


class Command(BaseCommand):
    help = "Import a CSV, JSONL or Parquet file. Running it again changes nothing; --resume goes on after a kill."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["events", "profiles", "items", "consents"], nargs="?", default="events")
        parser.add_argument("path", type=Path, nargs="?")
        parser.add_argument("--source", default="File import", help="the source's name; its message ids are its own")
        parser.add_argument("--map", action="append", default=[], metavar="TARGET=COLUMN", help="what a column means")
        parser.add_argument("--set", action="append", default=[], metavar="TARGET=TEXT", help="the same in all rows")
        parser.add_argument("--time-zone", default=settings.TIME_ZONE, help="of times that name none")
        parser.add_argument("--encoding", default="", help="utf-8 or gb18030; looked up in the file by default")
        parser.add_argument("--preview", action="store_true", help="look at the file and the mapping, write nothing")
        parser.add_argument("--errors", type=Path, help="write the refused rows into this CSV")
        parser.add_argument("--resume", type=int, metavar="JOB", help="go on with a paused, failed or killed import")

    def handle(self, *args: Any, **options: Any) -> None:
        from crm.imports.files import UnreadableFile

        try:
            job = self._resumed(options) if options["resume"] else self._ordered(options)
        except UnreadableFile as error:
            raise CommandError(str(error)) from error
        if job is not None:
            self._run(job, options)

    def _ordered(self, options: dict[str, Any]) -> JobRun | None:
        path = options["path"]
        if path is None:
            raise CommandError("Say which file.")
        now = timezone.now()
        seen = imports.preview(path, options["what"], self._mapping(options), now=now, encoding=options["encoding"])
        if options["preview"]:
            self.stdout.write(
                json.dumps({"mapping": seen.mapping.to_json(), "rows": seen.rows[:5]}, ensure_ascii=False, indent=1)
            )
            self.stdout.write("\n".join(seen.problems) or "No problems in the first rows.")
            return None
        if problems := seen.mapping.problems(seen.columns):
            raise CommandError(" ".join(problems))
        source = Source.objects.get_or_create(name=options["source"], defaults={"kind": Source.Kind.IMPORT})[0]
        return imports.order(path, seen.mapping, source=source, now=now, encoding=options["encoding"])

    def _mapping(self, options: dict[str, Any]) -> Mapping:
        from crm.imports.files import open_rows

        columns = guess(options["what"], open_rows(options["path"], encoding=options["encoding"]).columns)
        constants = dict(pair.split("=", 1) for pair in options["set"])
        columns |= dict(pair.split("=", 1) for pair in options["map"])
        kept = {target: name for target, name in columns.items() if target not in constants}
        return Mapping(what=options["what"], columns=kept, constants=constants, time_zone=options["time_zone"])

    def _resumed(self, options: dict[str, Any]) -> JobRun:
        job = JobRun.objects.filter(pk=options["resume"], kind=imports.KIND).first()
        if job is None:
            raise CommandError(f"There is no import {options['resume']}.")
        job.resume()
        return job

    def _run(self, job: JobRun, options: dict[str, Any]) -> None:
        from crm.imports.job import run

        self.stdout.write(f"Import {job.pk}: {job.title}")
        self.stdout.flush()
        if not run(job, clock=timezone.now):
            raise CommandError(f"Import {job.pk} is {job.status}, or another process works on it.")
        job.refresh_from_db()
        if options["errors"]:
            with options["errors"].open("w", newline="") as file:
                file.writelines(imports.error_file(job))
        self.stdout.write(f"{job.status}: {job.result or job.error}")
        if job.status == JobRun.Status.FAILED:
            sys.exit(1)
