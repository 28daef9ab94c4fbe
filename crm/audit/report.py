"""The pages of a bundle that people read: the report and the notes on how to check it."""

import csv
from collections.abc import Mapping
from io import TextIOWrapper
from itertools import islice
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from crm import verify
from crm.audit.archive import Archive
from crm.consent_rules import Reason
from crm.models import LedgerNote, Purpose

LISTED = 100

# What a consent audit must prove (ISO/IEC TS 27560, PIPL 55 and 69, GDPR 7(1)), and where a bundle proves it.
POINTS = (
    (_("State at any moment, and the event that made it"), "events.csv"),
    (_("The exact words shown, language, version, hash"), "notices/, events.csv: notice_hash, rendered_hash"),
    (_("The affirmative act, and by what method"), "events.csv: event_state, collection_method, form_version"),
    (_("Who, and how that was verified"), _("person (token); in clear text people.csv and the proof in events.jsonl")),
    (_("When: claimed and received"), "events.csv: event_time, received_time, recorded_at"),
    (_("Separate consent was asked for separately"), "events.csv: consent_kind; findings.csv: not_separate"),
    (_("Withdrawing was possible, and how soon it worked"), _("notices/: withdraw; sends during a withdrawal, above")),
    (_("Every send had a valid basis; every violation"), "sends.csv, sends_violations.csv"),
    (_("Who refused was not asked again too soon"), "events.csv: ask_cooldown_until; findings.csv: asked_again"),
    (
        _("Minors and their guardians"),
        "events.csv: consent_kind = guardian; notes.csv: age; sends_violations.csv: minor",
    ),
    (_("Recipients, and the impact assessment"), "events.csv: recipient, pia_id; disclosures.csv"),
    (_("Nothing was removed or edited since"), "proofs.jsonl, checkpoint.txt, checkpoints.jsonl"),
    (_("Who read or exported personal data"), "accesses.csv"),
)

# What the codes of the tables mean to people; those of a basis and of a note have labels of their own.
REASONS = {
    **{reason.value: reason.label for reason in Reason},
    "unknown_event": _("names a consent that is not there"),
    "not_a_grant": _("names an event that is no consent"),
    "other_purpose": _("names a consent to another purpose"),
    "other_channel": _("names a consent for another channel"),
    "other_person": _("names the consent of another person"),
    "recorded_later": _("names a consent that was recorded afterwards"),
    "received_later": _("names a consent that was received afterwards"),
    "wrong_basis": _("names another legal basis than the purpose has"),
}
FINDINGS = {
    "asked_again": _("asked again too soon after a refusal"),
    "not_separate": _("separate consent was not asked for separately"),
    "split_thread": _("one person's events are named as two people's"),
    "late_record": _("recorded long after it happened"),
    "backdated": _("claims to be older than what was recorded before it"),
}
KINDS = {**dict(LedgerNote.Kind.choices), "consent": _("consent events"), "hand_off": _("messages handed off")}

# The words of the records, for readers of JSON-LD.
CONTEXT = {
    "@context": {
        "@vocab": "urn:zhiyin:leaf:1:",
        "dpv": "https://w3id.org/dpv#",
        "dct": "http://purl.org/dc/terms/",
        "id": "dct:identifier",
        "event_state": {"@id": "dpv:hasConsentStatus", "@type": "@vocab"},
        "ConsentGiven": "dpv:ConsentGiven",
        "ConsentRefused": "dpv:ConsentRefused",
        "ConsentWithdrawn": "dpv:ConsentWithdrawn",
        "ConsentRevoked": "dpv:ConsentRevoked",
        "ConsentExpired": "dpv:ConsentExpired",
        "ConsentInvalidated": "dpv:ConsentInvalidated",
        "ConsentRequested": "dpv:ConsentRequested",
        "ConsentRequestDeferred": "dpv:ConsentRequestDeferred",
        "RenewedConsentGiven": "dpv:RenewedConsentGiven",
        "purpose": "dpv:hasPurpose",
        "legal_basis": "dpv:hasLegalBasis",
        "notice": "dpv:hasNotice",
        "language": "dct:language",
        "recipient": "dpv:hasRecipient",
        "jurisdiction": "dpv:hasJurisdiction",
        "event_time": "dct:date",
        "valid_until": "dct:valid",
        "pia_id": "dpv:hasImpactAssessment",
    }
}

README = """\
AUDIT BUNDLE / 审计包
====================

How to check it / 如何验证
  1. Get the verifier (verify.py) from the organisation by another way than this file, once, and keep it.
     Get the fingerprint of its key, and a checkpoint now and then, and keep these too.
     请通过另一渠道向该组织取得验证程序 verify.py、密钥指纹，并定期保存检查点。
  2. Run, with Python 3.9 or newer; nothing else is needed, no network either:
     使用 Python 3.9 或更高版本运行，无需安装其他软件，也无需网络：

         python verify.py bundle.zip --checkpoint your-checkpoint.txt --key THE-KEY

  It says OK and what was proven, or names the first thing that is wrong. The copy of verify.py in here is the same
  program, but a copy that comes with what it checks proves nothing about itself.
  程序会输出“通过”及所证明的内容，或指出第一处错误。包内的 verify.py 仅供参考，请使用自行取得的副本。

What is in here / 内容
  manifest.json         what was asked for, the counts, SHA-256 and SM3 of every file; manifest.sig signs it (Ed25519)
  report.html           the same for reading / 可读报告
  events.jsonl          the ledger's records, byte for byte; a leaf of the Merkle tree is the SHA-256 of 0x00 and `body`
  proofs.jsonl          hashes of what is not shown: with the records they lead to the root of the checkpoint (RFC 9162)
  checkpoint.txt        size and root of the ledger, signed; checkpoints.jsonl: earlier ones, with proofs
  events.csv            consent events; sends.csv: messages handed off / 同意事件与已交付的消息
  sends_violations.csv  every send that the consents before it did not allow; a header alone means none / 违规发送清单
  findings.csv          other things worth a look / 其他值得关注的情况
  disclosures.csv, requests.csv, notes.csv  disclosures to others, requests of people, everything else noted
  accesses.csv          who saw or took personal data unmasked / 个人信息访问记录
  notices/              the words that people were shown, by the hash that the events name / 告知文本
  people.csv            only in clear text: who is meant by the tokens / 仅明文包
  context.jsonld        what the words of the records mean in the Data Privacy Vocabulary (ISO/IEC TS 27560)

What it proves, and what not / 能证明与不能证明的内容
  The verifier works out the tables and the violations again from the records, and the records lead to a signed root:
  none of them was edited, and a bundle of the whole ledger leaves none out. accesses.csv, people.csv, this text and the
  report are covered by the signature only. People are named by tokens of this bundle; which events of consent are one
  person's stands in the records (`thread`), so a withdrawal cannot be hidden by naming it otherwise.
  Times are in UTC. Reasons in sends_violations.csv: no_consent, unknown_event, not_a_grant, other_purpose,
  other_channel, other_person, recorded_later (the consent was put into the ledger after the send), received_later,
  refused, withdrawn, revoked, invalidated, expired, stale_notice, wrong_basis, minor (known to be under age),
  suppressed (the address must not be written to). These two are judged by notes of the kinds `age` and `suppression`,
  for marketing: from a minute after they were noted. A withdrawal from all marketing, and a complaint, are noted at
  once; a birth date that was told, and an address that came back with an import, within an hour.
  未成年与禁发按 age、suppression 类记录判定：登记一分钟之后的营销发送即为违规。

  What it does NOT prove, whoever signs it / 无论由谁签名，均不能证明
{limits}
  Tokens are pseudonyms, not anonymous data: handle this file as personal data (PIPL 4, 73).
  假名化数据仍属于个人信息，请按个人信息保护要求保管本文件。
"""


def readme() -> str:
    return README.replace("{limits}", "\n".join(f"  {text}" for text in verify.LIMITS))


def html(files: Archive, manifest: dict[str, Any], *, language: str) -> str:
    """Return the report as a page that needs nothing else."""
    with override(language):
        return render_to_string("zhiyin/audit/report.html", _facts(files, manifest) | {"language": language})


def _facts(files: Archive, manifest: dict[str, Any]) -> dict[str, Any]:
    violations = _rows(files, "sends_violations.csv")
    for row in violations:
        row["words"], row["at"] = REASONS[row["reason"]], row["handed_off_at"][:19].replace("T", " ")
    findings = _rows(files, "findings.csv")
    for row in findings:
        row["words"] = FINDINGS[row["finding"]]
    return {
        "manifest": manifest,
        "counts": manifest["counts"],
        "kinds": _named(manifest["counts"]["kinds"], KINDS),
        "allowed": _named(manifest["counts"]["allowed"], dict(Purpose.Basis.choices)),
        "hidden": manifest["tree"]["size"] - (files.parts["events.jsonl"].rows or 0),
        "shown": files.parts["events.jsonl"].rows,
        "fingerprint": verify.key_of(manifest["key"]).fingerprint,
        "violations": violations,
        "unlisted": manifest["counts"]["violations"] - len(violations),
        "findings": findings,
        "accesses": files.parts["accesses.csv"].rows,
        "points": POINTS,
    }


def _named(counts: dict[str, int], words: Mapping[str, Any]) -> list[tuple[str, Any, int]]:
    return [(code, words.get(code, ""), number) for code, number in sorted(counts.items())]


def _rows(files: Archive, name: str) -> list[dict[str, Any]]:
    """Return the first rows of a table that is written already."""
    file = files.parts[name].file
    file.seek(3)  # after the byte order mark
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    rows: list[dict[str, Any]] = list(islice(csv.DictReader(text), LISTED))
    text.detach()
    file.seek(0, 2)
    return rows
