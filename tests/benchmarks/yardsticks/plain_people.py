"""People and their identifiers in plain columns: what the list of people would read if nothing were sealed."""

from django.db import models

from crm.models import Identifier, Profile


class PlainProfile(models.Model):
    """The columns that the list shows, with the name as text."""

    name = models.CharField(max_length=200, blank=True)
    age_band = models.CharField(max_length=16, blank=True)
    gender = models.CharField(max_length=8, choices=Profile.Gender, blank=True)
    province = models.CharField(max_length=64, blank=True)
    city = models.CharField(max_length=64, blank=True)
    personalisation = models.BooleanField(default=True)
    attributes = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "crm"

    def __str__(self) -> str:
        return f"#{self.pk}"


class PlainIdentifier(models.Model):
    """An identifier with its value as text."""

    type = models.CharField(max_length=32, choices=Identifier.Type)
    value = models.CharField(max_length=255)
    profile = models.ForeignKey(PlainProfile, models.CASCADE, related_name="identifiers")
    verified = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "crm"
        constraints = [models.UniqueConstraint(fields=["type", "value"], name="plain_identifier_means_one_profile")]

    def __str__(self) -> str:
        return f"{self.type} #{self.pk}"
