"""A time stamp (RFC 3161) beside a bundle: an authority says when its manifest, and so every file in it, was there."""

from pathlib import Path
from zipfile import ZipFile

import requests
from django.conf import settings
from rfc3161_client import VerificationError

from crm.publishing import PublishError, stamped


class NoStamp(RuntimeError):
    """The authority gave no time stamp; the message says why."""


def write(bundle: Path) -> Path | None:
    """Write the authority's answer about ``manifest.json`` beside the bundle; nothing where none is configured.

    Check it with ``openssl ts -verify -data manifest.json -in bundle.tsr -CAfile …``.

    Raises
    ------
    NoStamp
        The authority did not answer, or with something else.
    """
    if not settings.LEDGER_TSA_URL:
        return None
    with ZipFile(bundle) as files:
        manifest = files.read("manifest.json")
    try:
        answer = stamped(manifest, settings.LEDGER_TSA_URL)
    except (PublishError, VerificationError, requests.RequestException, ValueError) as error:
        raise NoStamp(f"The time-stamping authority gave no stamp: {error}") from error
    out = bundle.with_suffix(".tsr")
    out.write_bytes(answer)
    return out
