"""Who calls the API: bearer tokens of OAuth2 clients, and signed tokens of persons."""

from hashlib import sha256

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.models import ApiAccess
from crm import person_tokens
from crm.api.access import Caller
from crm.prepared import Prepared

# Written out: every request asks it, and Django takes longer to build it than PostgreSQL to answer.
CLIENT = Prepared(
    """
SELECT client.id, token.scope, token.expires, access.epoch, access.scopes,
       client.user_id, access.agreed_by_id, access.agreed_scopes
FROM oauth2_provider_accesstoken AS token
JOIN oauth2_provider_application AS client ON client.id = token.application_id
LEFT JOIN config_apiaccess AS access ON access.application_id = client.id
WHERE token.token_checksum = %(token)s AND token.expires > %(now)s
""",
    {"token": "text", "now": "timestamptz"},
)


class BearerAuthentication(BaseAuthentication):
    """Find the caller by the ``Authorization`` header, with one indexed query.

    The toolkit's own class rebuilds the whole request for oauthlib and loads the application and its user, for each
    call; tokens here belong to applications only, and what the API asks of one stands in its row.
    """

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        scheme, _space, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        text = token.strip().decode("latin-1")
        caller = _person(text) if text.startswith(person_tokens.PREFIX) else _client(text)
        if caller is None:
            raise AuthenticationFailed(_("The token is not valid, or no longer."))
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def _client(token: str) -> Caller | None:
    with connection.cursor() as cursor:
        CLIENT.ask(cursor, {"token": sha256(token.encode()).hexdigest(), "now": timezone.now()})
        row = cursor.fetchone()
    if row is None:
        return None
    # A scope that the client may no longer ask for is gone at its next request, not when the token runs out.
    scopes = frozenset(row[1].split()) & frozenset(row[4] or ())
    acts = row[5] is not None and row[5] == row[6]  # who gave the client to somebody cannot agree for them
    return Caller(
        client_id=row[0],
        scopes=scopes,
        expires_at=row[2],
        epoch=row[3] or 0,
        staff_id=row[5] if acts else None,
        staff_scopes=scopes & frozenset(row[7] or ()) if acts else frozenset(),
    )


def _person(token: str) -> Caller | None:
    try:
        said = person_tokens.read(token, timezone.now())
    except person_tokens.BadToken:
        return None
    # A signature cannot be called back; the epoch of the client that asked for it can.
    if not ApiAccess.objects.in_force().filter(pk=said.client_id, epoch=said.epoch).exists():
        return None
    return Caller(
        client_id=said.client_id, expires_at=said.expires_at, profile_id=said.profile_id, purpose=said.purpose
    )
