"""What ``manage.py check --deploy`` asks of an installation beyond what Django asks."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from crm.preference_links import has_public

ONE_ROLE = Warning(
    "The application connects as the role that owns the tables: it could take the triggers off the ledger.",
    hint="Give DATABASE_URL a role of its own and name the owner in MIGRATE_DATABASE_URL; the README has the SQL.",
    id="zhiyin.W001",
)
NO_APPLICATION = Error(
    "MIGRATE_DATABASE_URL names the owner of a database, but DATABASE_URL, which the application uses, is not set.",
    id="zhiyin.E001",
)

NO_ADDRESS = Warning(
    "PUBLIC_URL is no https address of this server: messages cannot carry the link by which people unsubscribe.",
    hint="Set it to where people reach this server, as in https://crm.example.com; they are refused till then.",
    id="zhiyin.W010",
)


def owners_differ(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn where the application's database role can do whatever the owner can."""
    if settings.MIGRATE_DATABASE_URL and not settings.DATABASE_URL:
        return [NO_APPLICATION]
    same = settings.OWNER_DATABASE.get("USER") in {None, settings.DATABASES["default"]["USER"]}
    return [ONE_ROLE] if same else []


def address_is_public(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn where no link can be put into a message."""
    return [] if has_public(only=("https",)) else [NO_ADDRESS]
