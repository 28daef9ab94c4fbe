"""What the commands of this package have in common: which specs, and until when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from crm.models import JobRun
from mlengine.specs import SPECS


def add_spec(parser: CommandParser) -> None:
    parser.add_argument("--spec", choices=sorted(SPECS), help="one model; all of them by default")


def add_spec_and_cutoff(parser: CommandParser) -> None:
    add_spec(parser)
    parser.add_argument(
        "--cutoff",
        type=a_day,
        help="use what was known at the beginning of this day (YYYY-MM-DD, in the organisation's zone)",
    )


def a_day(text: str) -> datetime:
    """Return the moment at which a day begins."""
    try:
        return timezone.make_aware(datetime.strptime(text, "%Y-%m-%d"), timezone.get_default_timezone())
    except ValueError as error:
        raise CommandError(f"{text!r} is not a day like 2017-12-01.") from error


def asked(options: Mapping[str, Any]) -> list[str]:
    """Return the names of the specs that the command is about."""
    return [options["spec"]] if options["spec"] else list(SPECS)


def made_here(kind: str, spec: str, options: Mapping[str, Any]) -> JobRun:
    """Return a job that this process will do itself, so that a person at the admin can watch or cancel it."""
    from mlengine.jobs import recorded  # noqa: PLC0415

    return recorded(kind, SPECS[spec], cutoff=options["cutoff"], now=timezone.now())
