"""Write an audit bundle: one file that an auditor verifies without us."""

from argparse import ArgumentParser
from getpass import getuser
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

if TYPE_CHECKING:
    from crm.audit.query import Query


class Command(BaseCommand):
    help = "Write the consents, the sends, and the proofs about them into one file that an outsider can verify."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, metavar="OUT.zip")
        parser.add_argument("--from", dest="begin", default="", metavar="DATE", help="the first day, like 2026-03-01")
        parser.add_argument("--to", dest="end", default="", metavar="DATE", help="the last day")
        parser.add_argument("--purpose", action="append", default=[], metavar="CODE", help="may be repeated")
        parser.add_argument("--person", action="append", default=[], type=int, metavar="ID", help="may be repeated")
        parser.add_argument("--tree-size", type=int, metavar="N", help="the ledger as it was at this checkpoint")
        parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="one that the auditor holds")
        parser.add_argument("--clear-text", action="store_true", help="with names; needs an approval")
        parser.add_argument("--approval", default="", metavar="ID", help="of the second person who approved clear text")
        parser.add_argument(
            "--language", default=settings.LANGUAGE_CODE, choices=[code for code, _ in settings.LANGUAGES]
        )
        parser.add_argument("--pdf", action="store_true", help="write the report as PDF/A beside it")

    def handle(self, *args: Any, **options: Any) -> None:
        from crm import sequencer
        from crm.audit import bundle, orders, pdf, stamp
        from crm.audit.compose import NotInTheLedger
        from crm.audit.query import BadQuery

        self.began, self.told_at, self.tenth = monotonic(), 0.0, 0
        if options["tree_size"] is None:
            sequencer.sequence(timezone.now())  # what was written a moment ago is in it, workers or not
        try:
            query = self._asked(options)
            if query.clear_text:
                query = orders.approved(query, options["approval"], now=timezone.now())
            orders.log(query, actor=f"command of {getuser()}", now=timezone.now())
            manifest = bundle.export(options["out"], query, progress=self._tell)
            beside = [pdf.write(options["out"])] if options["pdf"] else []
            if (stamped := stamp.write(options["out"])) is not None:
                beside.append(stamped)
        except (BadQuery, NotInTheLedger, pdf.NoPdf, stamp.NoStamp, OSError) as error:
            raise CommandError(str(error)) from error
        self._say(options["out"], manifest, beside)

    def _asked(self, options: dict[str, Any]) -> "Query":
        from crm.audit.query import ask

        held = options["checkpoint"].read_text() if options["checkpoint"] else ""
        return ask(
            begin=options["begin"],
            end=options["end"],
            purposes=options["purpose"],
            people=options["person"],
            size=options["tree_size"],
            held=held,
            clear_text=options["clear_text"],
            language=options["language"],
        )

    def _tell(self, done: int, total: int) -> None:
        """Say how far it is, if it takes more than a moment: on a terminal every second, in a log at every tenth."""
        now, on_terminal, tenth = monotonic(), self.stderr.isatty(), done * 10 // total
        due = done == total or (now - self.told_at >= 1 if on_terminal else tenth > self.tenth)
        if not due or now - self.began < 1:
            return
        self.told_at, self.tenth = now, tenth
        speed = done / max(now - self.began, 1e-9)
        left = f"about {(total - done) / speed:,.0f} s left" if done < total else "now judging the sends"
        text = f"{done:,} of {total:,} records, {speed:,.0f} a second, {left}"
        self.stderr.write(text, ending="\r" if on_terminal and done < total else "\n")

    def _say(self, out: Path, manifest: dict[str, Any], beside: list[Path]) -> None:
        from crm.verify import key_of

        counts = manifest["counts"]
        self.stdout.write(
            f"{out}: {sum(counts['kinds'].values()):,} records of a ledger of {manifest['tree']['size']:,},"
            f" {counts['sends']:,} sends, {counts['violations']:,} violations.\n"
            f"Key: {key_of(manifest['key']).fingerprint}"
        )
        for path in beside:
            self.stdout.write(f"{path}: beside the bundle, not in it.")
