"""Where events come from."""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _


def hashed(write_key: str) -> str:
    """Return what is stored of a write key; it has 256 random bits, so a plain hash cannot be searched."""
    return sha256(write_key.encode()).hexdigest()


class SourceQuerySet(models.QuerySet["Source"]):
    def with_key(self, write_key: str) -> Self:
        return self.filter(is_active=True, write_key_hash=hashed(write_key))


class Source(models.Model):
    """A system that sends events: a mini program, a shop, a till, a file."""

    class Kind(models.TextChoices):
        SERVER = "server", _("Server (trusted)")
        BROWSER = "browser", _("Browser or app (its key is public)")
        IMPORT = "import", _("File import")
        SYSTEM = "system", _("Zhiyin itself")

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.SERVER)
    # Null, not empty, where there is no key: many sources may have none.
    write_key_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)  # noqa: DJ001
    write_key_hint = models.CharField(_("write key begins with"), max_length=8, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = SourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")

    def __str__(self) -> str:
        return self.name

    @property
    def may_merge(self) -> bool:
        """Whether it may say that two known profiles are one person; never with a key that anyone can read."""
        return self.kind != self.Kind.BROWSER

    def renew_key(self) -> str:
        """Give the source a new write key and return it: the only moment it can be seen."""
        write_key = token_urlsafe(32)
        self.write_key_hash, self.write_key_hint = hashed(write_key), write_key[:6]
        self.save(update_fields=["write_key_hash", "write_key_hint"])
        return write_key
