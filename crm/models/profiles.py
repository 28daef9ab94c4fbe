"""People we know, by which names, and how they belong together."""

from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.encryption import (
    EncryptedDateField,
    EncryptedJSONField,
    EncryptedTextField,
    SealedModel,
    SealedQuerySet,
    blind_index,
    possible_indexes,
    suppression_key,
    was_set,
)
from crm.models.sources import Source


class ProfileQuerySet(SealedQuerySet["Profile"]):
    def usable(self) -> "ProfileQuerySet":
        """Return all but those whose data may only be stored and secured (PIPL 47)."""
        return self.filter(restricted_at=None)

    def identified(self, type: str, value: str) -> "ProfileQuerySet":
        """Return who has the identifier, in whichever spelling."""
        return self.filter(identifiers__type=type, identifiers__digest__in=possible_indexes(type, value))

    def named(self, name: str) -> "ProfileQuerySet":
        """Return who has exactly this name, but for capitals, spaces and what cannot be seen."""
        return self.filter(name_index__in=possible_indexes("name", name))


class Profile(SealedModel):
    """A person we know.

    Coarse facts are plain columns, so that segments, birthdays and lists work in SQL: quasi-identifiers, each of which
    many people share. Personal values are sealed with the person's own key. Of further traits that a source sends,
    ``attributes`` holds the coarse ones (``crm.coarse``), ``traits`` all others, sealed.
    """

    class Gender(models.TextChoices):
        FEMALE = "female", _("female")
        MALE = "male", _("male")
        OTHER = "other", _("other")

    class AgeClass(models.TextChoices):
        UNKNOWN = "unknown", _("unknown")
        CHILD = "child", _("child (under 14)")
        MINOR = "minor", _("minor (14 to 17)")
        ADULT = "adult", _("adult")

    name = EncryptedTextField(_("name"), max_length=200, person="pk")
    name_index = models.BinaryField(null=True, editable=False, db_index=True)
    birth_date = EncryptedDateField(_("birth date"), person="pk")
    traits = EncryptedJSONField(_("personal traits"), person="pk", editable=False)
    age_band = models.CharField(_("age band"), max_length=16, blank=True)
    age_class = models.CharField(
        _("age class"), max_length=8, choices=AgeClass, default=AgeClass.UNKNOWN, db_default=AgeClass.UNKNOWN
    )
    gender = models.CharField(_("gender"), max_length=8, choices=Gender, blank=True)
    birth_month = models.PositiveSmallIntegerField(_("birth month"), null=True, blank=True)
    birth_day = models.PositiveSmallIntegerField(_("birth day"), null=True, blank=True)
    province = models.CharField(_("province"), max_length=64, blank=True)
    city = models.CharField(_("city"), max_length=64, blank=True)
    language = models.CharField(_("language"), max_length=16, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    personalisation = models.BooleanField(
        _("personalisation"), default=True, help_text=_("When off, nothing scores this person.")
    )
    restricted_at = models.DateTimeField(
        _("restricted"), null=True, blank=True, help_text=_("Since then the data is stored and secured, nothing else.")
    )
    created_at = models.DateTimeField(_("created"), db_index=True)
    updated_at = models.DateTimeField(_("updated"))

    objects = ProfileQuerySet.as_manager()

    derived = {"name": ("name_index",)}

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        indexes = [
            GinIndex(fields=["attributes"], opclasses=["jsonb_path_ops"], name="crm_profile_attributes"),
            # For lists of what people did, which leave the few restricted ones out.
            models.Index(fields=["id"], condition=Q(restricted_at__isnull=False), name="crm_profile_restricted"),
            # For crm.hindrances, which looks for them every hour.
            models.Index(fields=["id"], condition=Q(age_class__in=["child", "minor"]), name="crm_profile_under_age"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(birth_month__isnull=True) | Q(birth_month__range=(1, 12)), name="crm_birth_month_exists"
            ),
            models.CheckConstraint(
                condition=Q(birth_day__isnull=True) | Q(birth_day__range=(1, 31)), name="crm_birth_day_exists"
            ),
        ]
        permissions = [("view_unmasked", _("Can see names and identifiers unmasked"))]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def told(self) -> dict[str, Any]:
        """All that sources told besides what has a column: coarse attributes and personal traits."""
        return {**self.attributes, **self.traits}

    def prepare(self) -> None:
        if was_set(self, "name"):
            self.name_index = blind_index("name", self.name) if self.name else None


class IdentifierQuerySet(SealedQuerySet["Identifier"]):
    def known_as(self, value: str) -> Self:
        """Return the identifiers of any type that have this value, in whichever spelling.

        The types are named so that the unique index on (type, digest) answers.
        """
        types = Identifier.Type.values
        return self.filter(
            type__in=types, digest__in=[index for type_ in types for index in possible_indexes(type_, value)]
        )


class Identifier(SealedModel):
    """A name by which a source knows a person: an openid, a phone, an external id.

    ``digest`` finds it, ``suppression_key`` keeps it suppressed when the person is erased; they come from different
    keys, so that who may read one table cannot join it to the other.
    """

    class Type(models.TextChoices):
        EXTERNAL_ID = "external_id", _("external id")
        ANONYMOUS_ID = "anonymous_id", _("anonymous id")
        OPENID = "openid", "OpenID"
        UNIONID = "unionid", "UnionID"
        EXTERNAL_USERID = "external_userid", _("WeCom customer id")
        PHONE = "phone", _("phone")
        EMAIL = "email", _("e-mail")

    type = models.CharField(_("type"), max_length=32, choices=Type)
    value = EncryptedTextField(_("value"), max_length=255, null=False, blank=False, row=("type", "digest"))
    digest = models.BinaryField(editable=False)
    suppression_key = models.BinaryField(editable=False, db_index=True)
    profile = models.ForeignKey(
        Profile, models.CASCADE, related_name="identifiers", db_index=False, verbose_name=_("profile")
    )
    source = models.ForeignKey(Source, models.SET_NULL, null=True, blank=True, verbose_name=_("source"))
    verified = models.BooleanField(_("verified"), default=False)
    created_at = models.DateTimeField(_("created"))

    objects = IdentifierQuerySet.as_manager()

    class Meta:
        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints = [models.UniqueConstraint(fields=["type", "digest"], name="crm_identifier_means_one_profile")]
        # Whether any address of ten thousand people is suppressed is asked of the index alone (crm.consent_standing).
        indexes = [models.Index(fields=["profile"], include=["suppression_key"], name="crm_identifiers_of_a_profile")]

    def __str__(self) -> str:
        return f"{self.type} #{self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        from crm.suppression import recognise  # noqa: PLC0415 (it reads this model)

        told = was_set(self, "value")
        super().save(*args, **kwargs)
        if told:
            recognise([(self.type, self.value)])

    def prepare(self) -> None:
        if was_set(self, "value"):
            self.digest = blind_index(self.type, self.value)
            self.suppression_key = suppression_key(self.type, self.value)


class ProfileAlias(models.Model):
    """The record of one merge: since then, and until undone, ``duplicate`` is read as ``canonical``.

    Events never move: readers and the lake follow the aliases, so undoing a merge loses nothing.
    """

    duplicate = models.ForeignKey(Profile, models.CASCADE, related_name="aliases", verbose_name=_("duplicate"))
    canonical = models.ForeignKey(Profile, models.CASCADE, related_name="duplicates", verbose_name=_("kept profile"))
    source = models.ForeignKey(Source, models.SET_NULL, null=True, blank=True, verbose_name=_("source"))
    merged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("merged by")
    )
    reason = models.CharField(_("reason"), max_length=200)
    merged_at = models.DateTimeField(_("merged"))
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("undone by")
    )
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        constraints = [
            models.UniqueConstraint(
                fields=["duplicate"], condition=Q(undone_at__isnull=True), name="crm_duplicate_has_one_canonical"
            ),
            models.CheckConstraint(condition=~Q(duplicate=models.F("canonical")), name="crm_alias_names_two_profiles"),
        ]

    def __str__(self) -> str:
        return f"#{self.duplicate_id} → #{self.canonical_id}"


class Relation(models.Model):
    """An edge between two profiles: referred, same household, follows."""

    from_profile = models.ForeignKey(Profile, models.CASCADE, related_name="relations", verbose_name=_("from"))
    to_profile = models.ForeignKey(Profile, models.CASCADE, related_name="related_by", verbose_name=_("to"))
    kind = models.CharField(_("kind"), max_length=32)
    weight = models.FloatField(_("weight"), default=1.0)
    source = models.ForeignKey(Source, models.SET_NULL, null=True, blank=True, verbose_name=_("source"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("relation")
        verbose_name_plural = _("relations")
        constraints = [
            models.UniqueConstraint(fields=["from_profile", "to_profile", "kind"], name="crm_relation_once"),
            models.CheckConstraint(
                condition=~Q(from_profile=models.F("to_profile")), name="crm_relation_joins_two_profiles"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.from_profile_id} {self.kind} #{self.to_profile_id}"
