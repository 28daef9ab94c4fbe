"""Signatures of Tencent Cloud's interface, version 3: TC3-HMAC-SHA256."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

NAME = "TC3-HMAC-SHA256"
TYPE = "application/json; charset=utf-8"


def authorization(host: str, service: str, body: bytes, key_id: str, secret: str, now: datetime) -> str:
    """Return the header ``Authorization`` of a POST of JSON; type and host are signed."""
    day, stamp = now.astimezone(UTC).strftime("%Y-%m-%d"), int(now.timestamp())
    names = "content-type;host"
    lines = f"content-type:{TYPE}\nhost:{host}\n"
    canonical = "\n".join(("POST", "/", "", lines, names, sha256(body).hexdigest()))
    scope = f"{day}/{service}/tc3_request"
    told = f"{NAME}\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), sha256)
    tag = hmac.digest(key, told.encode(), sha256).hex()
    return f"{NAME} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={tag}"


def headers(host: str, action: str, version: str, region: str) -> dict[str, str]:
    """Return the headers that go beside the signature and the time."""
    return {
        "host": host,
        "content-type": TYPE,
        "x-tc-action": action,
        "x-tc-version": version,
        "x-tc-region": region,
    }
