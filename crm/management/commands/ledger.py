"""``manage.py ledger``: number what waits, check everything, sign, prove, and give checkpoints away."""

import json
import sys
from argparse import ArgumentParser
from base64 import b64encode
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from crm import checkpoints, sequencer
from crm.ledger import ProofError


class Command(BaseCommand):
    help = "The consent ledger: status, sequence, fsck, checkpoint, proof, publish, key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        does = parser.add_subparsers(dest="does", required=True, metavar="WHAT")
        does.add_parser("status", help="how fast evidence is numbered, and where checkpoints lie; 1 if it is late")
        does.add_parser("sequence", help="number what was appended, and sign a checkpoint")
        fsck = does.add_parser("fsck", help="derive everything again and compare; 1 if anything differs")
        fsck.add_argument("--checkpoint", type=Path, action="append", default=[], help="a checkpoint held elsewhere")
        does.add_parser("checkpoint", help="print the newest signed checkpoint")
        proof = does.add_parser("proof", help="print a record with the proof that it is in the ledger, as JSON")
        proof.add_argument("record", type=UUID)
        does.add_parser("publish", help="give the newest checkpoint to every place that is configured; 1 if one fails")
        does.add_parser("key", help="print the verifier key that outsiders need")

    def handle(self, *args: Any, does: str, **options: Any) -> None:
        try:
            getattr(self, f"_{does}")(**options)
        except (checkpoints.KeyMissing, sequencer.Fork, ProofError, LookupError) as error:
            raise CommandError(str(error)) from error

    def _status(self, **options: Any) -> None:
        from crm.models import CheckpointCopy

        health = sequencer.health(timezone.now())
        self.stdout.write(f"leaves      {health.leaves}, signed for at {health.signed_at or 'no time yet'}")
        self.stdout.write(f"waiting     {health.waiting}, the first for {health.waits.total_seconds():.1f} s")
        p99 = "nothing" if health.p99 is None else f"p99 {health.p99.total_seconds():.1f} s"
        self.stdout.write(f"last hour   {p99} from commit to signature (promised: {sequencer.PROMISE.seconds} s)")
        for copy in CheckpointCopy.objects.order_by("kind", "place", "-copied_at").distinct("kind", "place"):
            self.stdout.write(f"copy        {copy.kind} {copy.place}: {copy.copied_at} {copy.error or 'taken'}")
        if health.late:
            late = f"LATE: nothing was numbered for {health.waits.seconds} s."
            self.stderr.write(self.style.ERROR(f"{late} Does a worker of the queue `ledger` run?"))
            sys.exit(1)

    def _sequence(self, **options: Any) -> None:
        self.stdout.write(f"{sequencer.sequence(timezone.now())} numbered")

    def _fsck(self, checkpoint: list[Path], **options: Any) -> None:
        from crm import fsck
        from crm.publishing import held_in_directory

        report = fsck.check([*held_in_directory(), *(path.read_text() for path in checkpoint)], most=100)
        for problem in report.problems:
            self.stdout.write(self.style.ERROR(str(problem)))
        self.stdout.write(", ".join(f"{count} {what}" for what, count in report.counts.items()))
        self.stdout.write(str(fsck.HONEST_LIMIT))
        if not report.sound:
            sys.exit(1)

    def _checkpoint(self, **options: Any) -> None:
        self.stdout.write(self._latest().note, ending="")

    def _proof(self, record: UUID, **options: Any) -> None:
        from crm.evidence import find

        included = checkpoints.inclusion(record)
        shown = {
            "record": find(record).leaf_body(),
            "leaf_index": included.leaf.sequence,
            "tree_size": included.checkpoint.size,
            "proof": [b64encode(step).decode() for step in included.proof],
            "checkpoint": included.checkpoint.note,
            "verifier_key": checkpoints.signer().verifier_key,
        }
        self.stdout.write(json.dumps(shown, ensure_ascii=False, indent=1))

    def _publish(self, **options: Any) -> None:
        from crm.publishing import publish

        copies = publish(self._latest(), timezone.now())
        for copy in copies:
            self.stdout.write(f"{copy.kind} {copy.place}: {copy.error or 'taken'}")
        if any(copy.error for copy in copies):
            sys.exit(1)

    def _key(self, **options: Any) -> None:
        self.stdout.write(checkpoints.signer().verifier_key)

    def _latest(self) -> Any:
        latest = checkpoints.latest()
        if latest is None:
            raise CommandError("Nothing was signed yet: the ledger is empty, or `ledger sequence` has not run.")
        return latest
