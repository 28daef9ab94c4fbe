"""The report as PDF/A-3 beside a bundle, with the manifest attached; where fonts and libraries are there."""

import logging
import subprocess
import warnings
from pathlib import Path
from zipfile import ZipFile

CHINESE = ":lang=zh"


class NoPdf(RuntimeError):
    """No PDF can be written here; the message says what is missing."""


def write(bundle: Path) -> Path:
    """Write the report of a bundle beside it and return where; the bundle stays as it is.

    Raises
    ------
    NoPdf
        WeasyPrint cannot be loaded, or there is no font for Chinese (on Debian: ``fonts-noto-cjk``).
    """
    try:
        from weasyprint import HTML, Attachment  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise NoPdf(f"WeasyPrint cannot be loaded: {error}") from error
    if not has_chinese_font():
        raise NoPdf("There is no font for Chinese; on Debian: apt install fonts-noto-cjk.")
    with ZipFile(bundle) as files:
        page, manifest = files.read("report.html"), files.read("manifest.json")
    out = bundle.with_suffix(".pdf")
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it tells of every step
    attached = Attachment(string=manifest, name="manifest.json", description="Manifest", relationship="Source")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # WeasyPrint leaves its colour profile open
        HTML(string=page.decode(), url_fetcher=_nothing_else).write_pdf(
            out, pdf_variant="pdf/a-3u", attachments=[attached]
        )
    out.chmod(0o600)
    return out


def has_chinese_font() -> bool:
    """Return whether fontconfig knows a font for Chinese."""
    try:
        done = subprocess.run(["fc-list", CHINESE, "family"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(done.stdout.strip())


def _nothing_else(url: str, *args: object, **kwargs: object) -> dict[str, object]:
    raise ValueError(f"The report refers to something outside: {url}")
