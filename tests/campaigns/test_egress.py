"""The one way out: what may be called, what may not, and what is known where there is no answer."""

import socket
import ssl
from typing import Any

import pytest

from campaigns import egress
from tests.campaigns import peers

PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0"),
    *("::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::"),
    *("224.0.0.1", "255.255.255.255", "192.0.0.1", "198.18.0.1", "ff02::1", "::127.0.0.1", "2001:0:1::1", "fec0::1"),
    *("192.88.99.1", "240.0.0.1", "fe80::1%eth0", "not an address", ""),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_our_own_network_is_not_public(address: str) -> None:
    assert not egress.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "223.5.5.5", "2400:3200::1"])
def test_an_address_out_there_is(address: str) -> None:
    assert egress.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1/",
            "http://localhost/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0/",
        ),
        *(
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "ftp://8.8.8.8/",
            "file:///etc/passwd",
        ),
        *("http://8.8.8.8:22/", "http://user@8.8.8.8/", "http:///x", "gopher://8.8.8.8/", "http://8.8.8.8:99999/", "x"),
        *("http://127.0.0.1:80@8.8.8.8/", "http://017700000001/", "http://127.1/"),
    ],
)
def test_such_a_url_is_never_called(url: str) -> None:
    with pytest.raises(egress.Forbidden):
        egress.request("GET", url)


def answers(*addresses: str) -> Any:
    """Return a resolver that answers differently each time: the attack that is called DNS rebinding."""
    left = list(addresses)

    def resolve(_host: str, port: int, **_: Any) -> Any:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return resolve


def test_a_name_that_turns_inward_after_the_check_reaches_nobody(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    with peers.http_peer({}) as peer:
        port = peer.server_address[1]
        settings.EGRESS_PORTS = [port]
        monkeypatch.setattr(socket, "getaddrinfo", answers("8.8.8.8", "127.0.0.1"))
        egress.check_resolved(f"http://rebinding.example:{port}/")  # as it was when it was saved
        with pytest.raises(egress.Forbidden):
            egress.request("POST", f"http://rebinding.example:{port}/", body=b"x")
        assert peer.taken == []


def test_a_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    asked: list[str] = []
    inward = answers("127.0.0.1")

    def resolve(host: str, port: int, **facts: Any) -> Any:
        asked.append(host)
        return inward(host, port, **facts)

    with peers.http_peer({peers.ACCEPTED: (200, b"ok")}) as peer:
        port = peer.server_address[1]
        settings.EGRESS_HOSTS = [f"named.example:{port}"]
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        reply = egress.request("POST", f"http://named.example:{port}/", body=b"x")
    assert (reply.status, reply.body, asked) == (200, b"ok", ["named.example"])


def test_one_inward_address_among_others_spoils_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [*answers("8.8.8.8")("", 80), *answers("10.0.0.1")("", 80)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(egress.Forbidden):
        egress.request("GET", "http://two.example/")


def test_a_redirect_is_an_answer_and_is_not_followed(settings: Any) -> None:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    with peers.http_peer({peers.ACCEPTED: (302, b"")}) as peer:
        peer.headers = {"location": "http://169.254.169.254/"}
        assert egress.request("POST", peer.url, body=b"x").status == 302
        assert len(peer.taken) == 1


def test_cookies_and_the_environments_proxies_are_not_used(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{peers.closed_port()}")
    with peers.http_peer({peers.ACCEPTED: (200, b"")}) as peer:
        peer.headers = {"set-cookie": "who=me; Path=/"}
        egress.request("POST", peer.url)
        egress.request("POST", peer.url)
        assert all("Cookie" not in headers for _path, headers, _body in peer.taken)


def test_what_is_not_encrypted_where_it_should_be_was_not_sent(settings: Any) -> None:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    with peers.http_peer({}) as peer, pytest.raises(egress.NotSent) as raised:
        egress.request("POST", peer.url.replace("http:", "https:"), body=b"secret", timeout=2)
    assert str(raised.value) == "tls"
    assert ssl.OPENSSL_VERSION
    assert peer.taken == []


def test_a_long_answer_is_cut(settings: Any) -> None:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    with peers.http_peer({}) as peer:
        peer.mode = peers.HUGE
        reply = egress.request("POST", peer.url, most=1000)
    assert (len(reply.body), reply.cut) == (1000, True)
