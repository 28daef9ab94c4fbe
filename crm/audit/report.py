"""The pages of a bundle that people read: the report and the notes on how to check it."""

import csv
from io import TextIOWrapper
from itertools import islice
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from crm import verify
from crm.audit.archive import Archive

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
    (_("Minors and their guardians"), "events.csv: consent_kind = guardian"),
    (_("Recipients, and the impact assessment"), "events.csv: recipient, pia_id; disclosures.csv"),
    (_("Nothing was removed or edited since"), "proofs.jsonl, checkpoint.txt, checkpoints.jsonl"),
    (_("Who read or exported personal data"), "accesses.csv"),
)

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
  refused, withdrawn, revoked, invalidated, expired, stale_notice, wrong_basis.
  Messages that were sent outside the system leave no record here: nobody can prove that there were none.
  在系统之外发送的消息不会留下记录，无人能够证明其不存在。
  Whoever holds the database and the key can rewrite what came after the last checkpoint that somebody else holds.
  同时掌握数据库与密钥的人，可以改写最近一个由他人保管的检查点之后的内容。
  Tokens are pseudonyms, not anonymous data: handle this file as personal data (PIPL 4, 73).
  假名化数据仍属于个人信息，请按个人信息保护要求保管本文件。
"""


def readme() -> str:
    return README


def html(files: Archive, manifest: dict[str, Any], *, language: str) -> str:
    """Return the report as a page that needs nothing else."""
    with override(language):
        return render_to_string("zhiyin/audit/report.html", _facts(files, manifest) | {"language": language})


def _facts(files: Archive, manifest: dict[str, Any]) -> dict[str, Any]:
    violations = _rows(files, "sends_violations.csv")
    return {
        "manifest": manifest,
        "counts": manifest["counts"],
        "kinds": sorted(manifest["counts"]["kinds"].items()),
        "allowed": sorted(manifest["counts"]["allowed"].items()),
        "hidden": manifest["tree"]["size"] - (files.parts["events.jsonl"].rows or 0),
        "shown": files.parts["events.jsonl"].rows,
        "fingerprint": verify.key_of(manifest["key"]).fingerprint,
        "violations": violations,
        "unlisted": manifest["counts"]["violations"] - len(violations),
        "findings": _rows(files, "findings.csv"),
        "accesses": files.parts["accesses.csv"].rows,
        "points": POINTS,
    }


def _rows(files: Archive, name: str) -> list[dict[str, str]]:
    """Return the first rows of a table that is written already."""
    file = files.parts[name].file
    file.seek(3)  # after the byte order mark
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    rows = list(islice(csv.DictReader(text), LISTED))
    text.detach()
    file.seek(0, 2)
    return rows
