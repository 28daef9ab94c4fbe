"""Signatures of Alibaba Cloud's interface, version 3: ACS3-HMAC-SHA256."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

NAME = "ACS3-HMAC-SHA256"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of an action: parameters go into the query, the body stays empty."""

    host: str
    action: str
    version: str
    params: Mapping[str, str]
    nonce: str


def query(params: Mapping[str, str]) -> str:
    """Return parameters in order, encoded as RFC 3986 has it.

    >>> query({"b": "a b*~", "a": "签"})
    'a=%E7%AD%BE&b=a%20b%2A~'
    """
    return "&".join(f"{quote(name, safe='-_.~')}={quote(params[name], safe='-_.~')}" for name in sorted(params))


def headers(call: Call, key_id: str, secret: str, now: datetime) -> dict[str, str]:
    """Return all headers of a signed POST of a call."""
    signed = {
        "host": call.host,
        "x-acs-action": call.action,
        "x-acs-content-sha256": sha256(b"").hexdigest(),
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": call.nonce,
        "x-acs-version": call.version,
    }
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = "\n".join(("POST", "/", query(call.params), lines, names, signed["x-acs-content-sha256"]))
    told = f"{NAME}\n{sha256(canonical.encode()).hexdigest()}"
    tag = hmac.digest(secret.encode(), told.encode(), sha256).hex()
    return signed | {"Authorization": f"{NAME} Credential={key_id},SignedHeaders={names},Signature={tag}"}
