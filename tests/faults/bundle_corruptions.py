"""Corrupted audit bundles: every one must be rejected in words, none may crash the verifier.

Some are corrupted by somebody without the key (bits, headers, files, the order of records, a bundle signed anew with
another key), some by the holder of the key, who signs what he forged: against him stands a checkpoint that somebody
else kept.
"""

import os
import struct
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from functools import lru_cache
from io import BytesIO, StringIO
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from crm import verify
from crm.audit import compose
from crm.audit.archive import Archive, Part
from crm.signed_notes import Signer
from tests import bundles

BUNDLES, PROCESSES = 100_000, 2
PEOPLE = 4
STRANGER = Signer("test.example/ledger", bytes(range(1, 33)))
Leaves = list[tuple[dict[str, Any], int | None]]


class Victim:
    """A small genuine bundle, its parts, and what an auditor holds: a checkpoint and the key."""

    def __init__(self, folder: Path, *, clear: bool) -> None:
        self.folder, self.clear = folder, clear
        self.leaves = bundles.everyday(PEOPLE, seed=7)
        self.path = folder / "genuine.zip"
        compose.write(self.path, self.content(self.leaves))
        self.data = self.path.read_bytes()
        with ZipFile(self.path) as files:
            self.files = {info.filename: files.read(info) for info in files.infolist()}
            self.starts = {info.filename: (info.header_offset, info.file_size) for info in files.infolist()}
        self.checkpoint = folder / "held.txt"
        self.checkpoint.write_bytes(self.files["checkpoint.txt"])
        self.key = bundles.SIGNER.verifier_key

    def content(self, leaves: Leaves, **facts: Any) -> compose.Content:
        return bundles.content(leaves, clear=self.clear, earlier=(3, len(leaves) // 2), **facts)

    def rebuilt(self, leaves: Leaves, **facts: Any) -> bytes:
        """Return a bundle of forged leaves, signed."""
        out = self.folder / "forged.zip"
        compose.write(out, self.content(leaves, **facts))
        return out.read_bytes()


# What somebody without the key can do to the bytes


def flip_a_bit(victim: Victim, random: Random) -> bytes:
    start, size = random.choice(list(victim.starts.values()))
    place = random.randrange(start, start + size + 30)
    return _with(victim.data, place, victim.data[place] ^ 1 << random.randrange(8))


def change_a_byte(victim: Victim, random: Random) -> bytes:
    place = random.randrange(len(victim.data))
    return _with(victim.data, place, (victim.data[place] + random.randrange(1, 256)) % 256)


def change_a_header(victim: Victim, random: Random) -> bytes:
    directory = victim.data.rindex(b"PK\1\2", 0, len(victim.data))
    begin = random.choice([start for start, _ in victim.starts.values()] + [directory, len(victim.data) - 22])
    place = min(begin + random.randrange(30), len(victim.data) - 1)
    return _with(victim.data, place, (victim.data[place] + random.randrange(1, 256)) % 256)


def claim_a_huge_size(victim: Victim, random: Random) -> bytes:
    start, _ = random.choice(list(victim.starts.values()))
    field = random.choice([18, 22])
    huge = struct.pack("<I", random.choice([0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFF0]))
    return victim.data[: start + field] + huge + victim.data[start + field + 4 :]


def truncate(victim: Victim, random: Random) -> bytes:
    return victim.data[: random.randrange(len(victim.data))]


def append(victim: Victim, random: Random) -> bytes:
    return victim.data + random.randbytes(random.randrange(1, 100))


def cut_out(victim: Victim, random: Random) -> bytes:
    begin = random.randrange(len(victim.data) - 1)
    return victim.data[:begin] + victim.data[begin + random.randrange(1, 200) :]


def repeat(victim: Victim, random: Random) -> bytes:
    begin = random.randrange(len(victim.data) - 200)
    end = begin + random.randrange(1, 200)
    return victim.data[:end] + victim.data[begin:]


def zip_again(victim: Victim, random: Random) -> bytes:
    """The same files in another container: other times, order, compression, or one more, or one less."""
    names = list(victim.files)
    match random.randrange(4):
        case 0:
            random.shuffle(names)
        case 1:
            names.remove(random.choice(names))
        case 2:
            names.append(f"extra-{random.randrange(1000)}.txt")
    made = BytesIO()
    with ZipFile(made, "w", random.choice([ZIP_STORED, ZIP_DEFLATED])) as files:
        for name in names:
            files.writestr(ZipInfo(name, (2026, 1, 1 + random.randrange(28), 0, 0, 0)), victim.files.get(name, b"x"))
    return made.getvalue()


def swap_two_files(victim: Victim, random: Random) -> bytes:
    one, other = random.sample(list(victim.files), 2)
    swapped = victim.files | {one: victim.files[other], other: victim.files[one]}
    return _zipped(swapped)


def tamper_with_lines(victim: Victim, random: Random) -> bytes:
    """Records or hashes dropped, doubled, put in another order, or a token changed, and the manifest made to fit."""
    name = random.choice(["events.jsonl", "sends_violations.csv", "events.csv", "checkpoints.jsonl", "accesses.csv"])
    lines = victim.files[name].splitlines(keepends=True)
    place = random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            lines.pop(place)
        case 1:
            lines.insert(place, lines[random.randrange(len(lines))])
        case 2:
            lines[place] = lines[place].replace(b"e", b"a").replace(b"1", b"2") + b"x\n"
        case 3:
            lines.append(b'{"body":' * random.randrange(1, 3000))
    return _zipped(_refitted(victim.files, name, b"".join(lines)))


def sign_with_another_key(victim: Victim, random: Random) -> bytes:
    """A whole other history, genuine in itself, signed by a stranger."""
    return victim.rebuilt(_forged(victim, random), signer=STRANGER)


# What the holder of the key can do


def rewrite_history(victim: Victim, random: Random) -> bytes:
    """Leaves changed, removed, added in between or put in another order, and everything signed with the true key."""
    return victim.rebuilt(_forged(victim, random))


def pass_off_other_tables(victim: Victim, random: Random) -> bytes:
    """True records and proofs, but a table, a count or a notice says something else; signed with the true key."""
    kept = ("events.jsonl", "proofs.jsonl", "checkpoint.txt", "checkpoints.jsonl", "manifest.json", "manifest.sig")
    free = ("verify.py", "README.txt", "accesses.csv")  # covered by the signature only, so its holder may change them
    name = random.choice([name for name in victim.files if name not in kept + free])
    data = bytearray(victim.files[name])
    data[random.randrange(len(data))] ^= 1 + random.randrange(255)
    return _zipped(_refitted(victim.files, name, bytes(data), bundles.SIGNER))


def pass_off_other_counts(victim: Victim, random: Random) -> bytes:
    manifest = verify._decode(victim.files["manifest.json"].decode())
    match random.randrange(5):
        case 0:
            manifest["counts"]["violations"] += random.randrange(1, 9)
        case 1:
            manifest["tree"]["size"] += random.choice([-1, 1, 10**6, 2**64])
        case 2:
            manifest["range"] = [0, random.randrange(-5, 10**9), "x"][: random.randrange(4)] or [None]
        case 3:
            manifest["files"][random.randrange(len(manifest["files"]))]["size"] = random.choice([-1, 2**63, None, "9"])
        case 4:
            manifest["query"] = random.choice([None, [], {"clear_text": not victim.clear}])
    data = verify.canonical(manifest)
    return _zipped(victim.files | {"manifest.json": data, "manifest.sig": _signature(bundles.SIGNER, data)})


CORRUPTIONS: tuple[Callable[[Victim, Random], bytes], ...] = (
    *(flip_a_bit, change_a_byte, change_a_header, claim_a_huge_size, truncate, append, cut_out, repeat, zip_again),
    *(swap_two_files, tamper_with_lines, sign_with_another_key, rewrite_history, pass_off_other_tables),
    pass_off_other_counts,
)


def corrupt(count: int, *, seed: int, begin: int = 0, step: int = 1) -> tuple[Counter[str], list[str]]:
    """Verify that many corrupted bundles; return how many of each kind were rejected, and what went wrong.

    ``begin`` and ``step`` divide them among processes: each corruption follows from its number alone.
    """
    verify.is_signature = lru_cache(maxsize=4096)(verify.is_signature)  # the same signatures come again and again
    rejected: Counter[str] = Counter()
    wrong: list[str] = []
    # In memory where that is possible: a disk takes longer to make and remove a file than we take to verify it.
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        victims = [Victim(Path(folder), clear=clear) for clear in (False, True)]
        for number in range(begin, count, step):
            random = Random(f"{seed}/{number}")
            victim, kind = victims[number // len(CORRUPTIONS) % 2], CORRUPTIONS[number % len(CORRUPTIONS)]
            data = kind(victim, random)
            if data == victim.data:
                continue
            path = Path(folder) / "corrupted.zip"
            path.write_bytes(data)
            told = _verdict(path, victim)
            # A ledger that lost its end is "older than your checkpoint": nothing is said for it, so it is not accepted.
            if told != 1 and (kind, told) != (rewrite_history, 2):
                wrong.append(f"{kind.__name__} {seed}/{number}: {told}")
            else:
                rejected[kind.__name__] += 1
    return rejected, wrong


def _verdict(path: Path, victim: Victim) -> int | str:
    """Return the exit code; or the crash, in words."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
        try:
            code = verify.main([str(path), "--checkpoint", str(victim.checkpoint), "--key", victim.key])
        except BaseException as error:  # whatever it is, a crash is what we look for
            return repr(error)
    return code if code != 1 or said.getvalue().startswith("NOT GENUINE") else said.getvalue()


def _forged(victim: Victim, random: Random) -> Leaves:
    """Return another history than the victim's, of the same form."""
    leaves = list(victim.leaves)
    sends = [place for place, (body, _) in enumerate(leaves) if body["kind"] == "hand_off"]
    place = random.choice(sends)
    body, person = leaves[place]
    match random.randrange(4):
        case 0:
            leaves.pop(place)
        case 1:
            leaves[place] = ({**body, "handed_off_at": bundles.at(random.randrange(10**6))}, person)
        case 2:
            leaves.insert(place, (bundles.hand_off(random.randrange(10, 10**6), person or 0, seconds=5), person))
        case 3:
            leaves[place], leaves[place - 1] = leaves[place - 1], leaves[place]
    return leaves


def _with(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes([value]) + data[place + 1 :]


def _refitted(files: dict[str, bytes], name: str, data: bytes, signer: Signer | None = None) -> dict[str, bytes]:
    """Return the files with one replaced, and a manifest that names its hash; signed if there is a key."""
    manifest = verify._decode(files["manifest.json"].decode())
    part = Part(name=name, file=BytesIO())
    part.write(data)
    entry = part.entry()
    for file in manifest["files"]:
        if file["name"] == name:
            file.update(entry, rows=file["rows"])
    told = verify.canonical(manifest)
    signature = _signature(signer, told) if signer else files["manifest.sig"]
    return files | {name: data, "manifest.json": told, "manifest.sig": signature}


def _signature(signer: Signer, data: bytes) -> bytes:
    return b64encode(signer.seal(verify.SIGNED + data)) + b"\n"


def _zipped(files: dict[str, bytes]) -> bytes:
    """Return the files in a container as it should be."""
    made = BytesIO()
    Archive(Path()).write(made, files)  # it has no parts, so it touches no folder
    return made.getvalue()


def run(count: int = BUNDLES) -> list[dict[str, Any]]:
    """Verify them in two processes; return how many were rejected, and how many were not, or crashed the verifier."""
    seed = int.from_bytes(os.urandom(4))
    rejected: Counter[str] = Counter()
    wrong: list[str] = []
    with ProcessPoolExecutor(PROCESSES, get_context("fork")) as pool:
        started = [pool.submit(corrupt, count, seed=seed, begin=one, step=PROCESSES) for one in range(PROCESSES)]
        for done in started:
            rejected += done.result()[0]
            wrong += done.result()[1]
    for line in wrong[:20]:
        sys.stderr.write(f"{line}\n")
    crashes = sum("(" in line for line in wrong)
    counts = {"corrupted bundles rejected": sum(rejected.values()), "kinds of corruption": len(rejected)}
    counts |= {name.replace("_", " "): rejected[name] for name in sorted(rejected)}
    return [
        {"name": "bundle corruptions", "done": counts, "wrong": {"accepted": len(wrong) - crashes, "crashes": crashes}}
    ]
