"""A time-stamping authority (RFC 3161) on this machine, which signs properly, and one that misbehaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from asn1crypto import keys, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.timestamps import DummyTimeStamper

Answer = Callable[[bytes], tuple[int, bytes]]


class Authority:
    """A root, a certificate for time stamps under it, and answers signed with that."""

    def __init__(self) -> None:
        root_key, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
        self.root = certificate("Root", root_key.public_key(), "Root", root_key, authority=True)
        own = certificate("Clock", key.public_key(), "Root", root_key, authority=False)
        self._signer = DummyTimeStamper(
            asn1_x509.Certificate.load(own.public_bytes(Encoding.DER)),
            keys.PrivateKeyInfo.load(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())),
            include_nonce=True,
        )

    def answer(self, request: bytes) -> tuple[int, bytes]:
        return 200, self._signer.request_tsa_response(tsp.TimeStampReq.load(request)).dump()

    def save_root(self, directory: Path) -> str:
        path = directory / "root.pem"
        path.write_bytes(self.root.public_bytes(Encoding.PEM))
        return str(path)


def certificate(
    name: str, public: rsa.RSAPublicKey, issuer: str, key: rsa.RSAPrivateKey, *, authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(stamping, critical=True)
    return builder.sign(key, hashes.SHA256())


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Answer time-stamp requests over HTTP, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
