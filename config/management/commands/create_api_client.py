"""``manage.py create_api_client NAME --scopes …``: a client for the REST API."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import Application

from config.models import ApiAccess
from config.scopes import SCOPES


class Command(BaseCommand):
    help = "Create an API client (OAuth2 client credentials) and print its secret, the only time it can be seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="who will use it, like 'web shop'")
        parser.add_argument("--scopes", nargs="+", required=True, metavar="SCOPE", help=f"any of: {', '.join(SCOPES)}")

        parser.add_argument("--user", default="", help="a member of staff in whose name it may act, once she agrees")

    def handle(self, *args: Any, name: str, scopes: list[str], user: str = "", **options: Any) -> None:
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise CommandError(f"No such scope: {', '.join(unknown)}. There are: {', '.join(SCOPES)}.")
        person = User.objects.filter(username=user, is_staff=True, is_active=True).first() if user else None
        if user and person is None:
            raise CommandError(f"Nobody named {user!r} works here.")
        application, secret = create_client(name, scopes, person)
        self.stdout.write(f"client_id={application.client_id}\nclient_secret={secret}")


@transaction.atomic
def create_client(name: str, scopes: list[str], user: User | None = None) -> tuple[Application, str]:
    """Return a new client, and its secret, which is stored as a hash only.

    Raises
    ------
    CommandError
        There is a client of this name.
    """
    if Application.objects.filter(name=name).exists():
        raise CommandError(f"There is a client named {name!r} already. Delete it first, or choose another name.")
    secret = generate_client_secret()
    application = Application.objects.create(
        name=name,
        user=user,
        client_secret=secret,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    ApiAccess.objects.create(application=application, scopes=sorted(set(scopes)))
    return application, secret
