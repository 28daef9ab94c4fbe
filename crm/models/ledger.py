"""The ledger's rows: evidence, its deletable personal half, and the Merkle tree over it.

Evidence and the tree are only ever added to; the database refuses anything else (``crm/insert_only.py``). What an
erasure must be able to take away lies in tables of its own, and the evidence holds a salted commitment to it.
"""

import json
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Length, Now
from django.db.models.lookups import Exact, In
from django.utils.translation import gettext_lazy as _

from crm.canonical import SALT_BYTES, NotCanonical, canonical, commit_to, utc
from crm.models.profiles import Profile

SCHEMA = "zhiyin/leaf/1"


class BytesField(models.BinaryField):  # type: ignore[type-arg]
    """A column of bytes that reads as ``bytes``; the driver gives a memory view."""

    _pyi_private_get_type: bytes  # what the type checker's plugin reads

    def from_db_value(self, value: Any, *args: Any) -> bytes | None:
        return None if value is None else bytes(value)


def has_bytes(field: str, *lengths: int, name: str) -> models.CheckConstraint:
    """Return the constraint that a column holds one of these numbers of bytes."""
    condition = In(Length(field), lengths) if len(lengths) > 1 else Exact(Length(field), lengths[0])
    return models.CheckConstraint(condition=condition, name=name)


class Evidence(models.Model):
    """A row that can be proven: its :meth:`leaf_body` is what the ledger holds a hash of.

    A subclass names its ``kind``, adds its facts to :meth:`facts`, and is listed in ``crm.evidence.EVIDENCE``. Rows are
    written by :func:`crm.evidence.append` only. Nothing personal stands in a column: what is personal lies in the
    subclass's :class:`PersonalPart` (related name ``person``), and ``commitment`` binds it. Without one it is empty.
    """

    kind: ClassVar[Any] = ""

    id = models.UUIDField(primary_key=True, editable=False)
    commitment = BytesField(_("commitment"), max_length=32, default=b"", editable=False)
    recorded_at = models.DateTimeField(_("recorded"))

    class Meta:
        abstract = True

    def facts(self) -> dict[str, object]:
        """Return what this kind of evidence says, ready to be written as canonical JSON; never personal."""
        raise NotImplementedError

    def leaf_body(self) -> dict[str, object]:
        """Return the record whose canonical bytes are the leaf."""
        common: dict[str, object] = {
            "schema": SCHEMA,
            "kind": self.kind,
            "id": str(self.pk),
            "commitment": self.commitment.hex(),
            "recorded_at": utc(self.recorded_at),
        }
        return common | self.facts()


class PersonalPart(models.Model):
    """The half of a piece of evidence that an erasure deletes: whom it is about, and the salt of the commitment.

    A subclass adds a one-to-one relation to its evidence with ``related_name="person"``, and what else is personal.
    When it is gone the evidence is *shredded*: it stays in the ledger, verifies, and is about nobody.
    """

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="+", verbose_name=_("profile"))
    salt = BytesField(_("salt"), max_length=32, editable=False)

    class Meta:
        abstract = True

    def personal(self) -> dict[str, object]:
        """Return what the commitment is over."""
        return {"profile": self.profile_id}

    def commit(self) -> bytes:
        """Draw a salt, keep it here, and return the commitment for the evidence."""
        made = commit_to(self.personal())
        self.salt = made.salt
        return made.digest

    def matches(self, commitment: bytes) -> bool:
        """Tell whether this is what the evidence committed to."""
        # HMAC fills a short key up with zeros, so another length could pass for this one.
        return len(self.salt) == SALT_BYTES and commit_to(self.personal(), self.salt).digest == commitment


class HandOff(Evidence):
    """A message was handed to a provider: by which delivery, and what allowed it at that moment."""

    kind = "hand_off"

    delivery = models.UUIDField(_("delivery"), unique=True)
    allowed_by = models.UUIDField(
        _("allowed by"), null=True, help_text=_("The consent event; empty where the basis is not consent.")
    )
    basis = models.CharField(_("basis"), max_length=32)
    purpose = models.CharField(_("purpose"), max_length=64)
    channel = models.CharField(_("channel"), max_length=32)
    handed_off_at = models.DateTimeField(_("handed off"), db_index=True)

    class Meta:
        verbose_name = _("hand-off")
        verbose_name_plural = _("hand-offs")
        constraints = [has_bytes("commitment", 32, name="crm_hand_off_commits_to_a_person")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.channel} {self.delivery}"

    def facts(self) -> dict[str, object]:
        return {
            "delivery": str(self.delivery),
            "allowed_by": str(self.allowed_by) if self.allowed_by else None,
            "basis": self.basis,
            "purpose": self.purpose,
            "channel": self.channel,
            "handed_off_at": utc(self.handed_off_at),
        }


class HandOffPerson(PersonalPart):
    """To whom a hand-off went."""

    hand_off = models.OneToOneField(HandOff, models.PROTECT, primary_key=True, related_name="person")

    class Meta:
        verbose_name = _("person of a hand-off")
        verbose_name_plural = _("persons of hand-offs")

    def __str__(self) -> str:
        return f"{self.hand_off_id}"


class LedgerNote(Evidence):
    """Something else that must be provable later: a notice published, a request answered, data disclosed or erased."""

    class Kind(models.TextChoices):
        NOTICE = "notice", _("notice")
        PURPOSE = "purpose", _("purpose")
        REQUEST = "request", _("request")
        DISCLOSURE = "disclosure", _("disclosure")
        ACCESS = "access", _("access to personal data")
        APPROVAL = "approval", _("approval")
        ASSESSMENT = "assessment", _("impact assessment")
        RELEASE = "release", _("release of statistics")
        ERASURE = "erasure", _("erasure")
        RETENTION = "retention", _("retention")
        HOLD = "hold", _("legal hold")
        SUPPRESSION = "suppression", _("suppression")
        AGE = "age", _("age")
        KEY = "key", _("key")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    reference = models.CharField(_("reference"), max_length=200, help_text=_("What it is about."))
    facts_json = models.TextField(_("facts"), help_text=_("Canonical JSON; nothing personal."))
    happened_at = models.DateTimeField(_("happened"))

    class Meta:
        verbose_name = _("ledger note")
        verbose_name_plural = _("ledger notes")
        constraints = [has_bytes("commitment", 0, 32, name="crm_note_commits_to_a_person_or_to_nothing")]
        indexes = [models.Index(fields=["kind", "reference"], name="crm_ledgernote_about")]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"

    def facts(self) -> dict[str, object]:
        facts = json.loads(self.facts_json)
        if not isinstance(facts, dict) or canonical(facts).decode() != self.facts_json:
            raise NotCanonical("The facts were not written by us.")
        return {
            "reference": self.reference,
            "facts": facts,
            "happened_at": utc(self.happened_at),
        }


class LedgerNotePerson(PersonalPart):
    """Whom a note is about."""

    note = models.OneToOneField(LedgerNote, models.PROTECT, primary_key=True, related_name="person")

    class Meta:
        verbose_name = _("person of a ledger note")
        verbose_name_plural = _("persons of ledger notes")

    def __str__(self) -> str:
        return f"{self.note_id}"


class PendingLeaf(models.Model):
    """Evidence that has no number yet: a queue from which the sequencer deletes what it numbers.

    ``queued_at`` is the database's clock, so that the delay can be measured whatever the writers' clocks say.
    """

    record = models.UUIDField(primary_key=True, editable=False)
    kind = models.CharField(max_length=16)
    hash = BytesField(max_length=32)
    queued_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("pending leaf")
        verbose_name_plural = _("pending leaves")

    def __str__(self) -> str:
        return f"{self.kind} {self.record}"


class Leaf(models.Model):
    """One leaf of the tree: which evidence has which number, and its hash."""

    sequence = models.BigIntegerField(_("number"), primary_key=True)
    record = models.UUIDField(_("record"), unique=True)
    kind = models.CharField(_("kind"), max_length=16)
    hash = BytesField(_("hash"), max_length=32)

    class Meta:
        verbose_name = _("leaf")
        verbose_name_plural = _("leaves")
        constraints = [
            models.CheckConstraint(condition=models.Q(sequence__gte=0), name="crm_leaves_count_from_zero"),
            has_bytes("hash", 32, name="crm_leaf_has_a_hash"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}"


class Tile(models.Model):
    """The root of a complete subtree of 256, 65,536, … leaves (level 8, 16, …), kept so that proofs read few rows.

    One row a subtree, written when it is complete: nothing needs to be changed later. A proof at ten million leaves
    reads at most 256 rows of each of three levels.
    """

    pk = models.CompositePrimaryKey("level", "index")
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = BytesField(max_length=32)

    class Meta:
        verbose_name = _("tile")
        verbose_name_plural = _("tiles")
        constraints = [has_bytes("hash", 32, name="crm_tile_has_a_hash")]

    def __str__(self) -> str:
        return f"{self.level}/{self.index}"


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    def latest_first(self) -> Self:
        return self.order_by("-size")


class Checkpoint(models.Model):
    """What we signed: so many leaves, this root. ``note`` is the signed text that an outsider verifies.

    ``leaves`` and ``waited_ms`` tell the health page how many leaves it added and how long the slowest of them had
    waited; with ``created_at`` they are our own account, which the signature does not cover.
    """

    size = models.BigIntegerField(_("leaves"), primary_key=True)
    root = BytesField(_("root"), max_length=32)
    note = models.TextField(_("signed note"))
    leaves = models.IntegerField(_("leaves added"))
    waited_ms = models.IntegerField(_("longest wait (ms)"))
    created_at = models.DateTimeField(_("created"), db_index=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        permissions = [("export_audit_bundle", _("Can export audit bundles"))]
        constraints = [has_bytes("root", 32, name="crm_checkpoint_has_a_root")]

    def __str__(self) -> str:
        return f"{self.size}"


class CheckpointCopyQuerySet(models.QuerySet["CheckpointCopy"]):
    def made(self) -> Self:
        return self.filter(error="")


class CheckpointCopy(models.Model):
    """A checkpoint was given to somebody whom we cannot rewrite, or the attempt failed and ``error`` says how."""

    class Kind(models.TextChoices):
        FILE = "file", _("file")
        EMAIL = "email", _("e-mail")
        RFC3161 = "rfc3161", _("time stamp (RFC 3161)")

    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="copies", verbose_name=_("checkpoint"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    place = models.CharField(_("place"), max_length=300)
    receipt = BytesField(_("receipt"), default=b"")
    error = models.CharField(_("error"), max_length=500, blank=True)
    copied_at = models.DateTimeField(_("copied"))

    objects = CheckpointCopyQuerySet.as_manager()

    class Meta:
        verbose_name = _("copy of a checkpoint")
        verbose_name_plural = _("copies of checkpoints")
        indexes = [models.Index(fields=["kind", "place", "-copied_at"], name="crm_checkpointcopy_latest")]

    def __str__(self) -> str:
        return f"{self.checkpoint_id} {self.kind} {self.place}"
