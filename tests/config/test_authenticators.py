"""The second factors of staff are sealed by the ring, and go with its rotation."""

import json
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.mfa.utils import decrypt, encrypt
from django.conf import settings

from config import authenticators
from crm import key_rotation
from crm.keyring import BadKeyRing
from tests.factories import NOW
from tests.staff import member


@pytest.fixture(autouse=True)
def own_ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "KEY_RING_FILE", str(tmp_path / "keys" / "ring.json"))


@pytest.mark.django_db
def test_second_factors_are_sealed_wrapped_again_and_go_on_working() -> None:
    ma, li, wu = member("Compliance", "ma"), member("Compliance", "li"), member("Compliance", "wu")
    secret = generate_totp_secret()
    TOTP.activate(ma, secret)
    codes = RecoveryCodes.activate(li)
    before = codes.generate_codes()
    codes.validate_code(before[0])
    migrated = {"migrated_codes": [encrypt("11111111"), encrypt("22222222")]}
    Authenticator.objects.create(user=wu, type=Authenticator.Type.RECOVERY_CODES, data=migrated)
    Authenticator.objects.create(user=ma, type=Authenticator.Type.WEBAUTHN, data={"name": "key", "credential": {}})
    lying = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in lying
    assert "22222222" not in lying
    key_rotation.rotate(NOW)
    assert authenticators.usage() == {"k1": 3}
    with pytest.raises(BadKeyRing, match="3 rows or files still need k1"):
        key_rotation.retire("k1")
    assert list(authenticators.rewrap(2)) == [2, 1]
    assert list(authenticators.rewrap(2)) == []
    key_rotation.retire("k1")
    assert decrypt(Authenticator.objects.get(user=ma, type="totp").data["secret"]) == secret
    again = RecoveryCodes(Authenticator.objects.get(user=li))
    assert again.generate_codes() == before
    assert again.get_unused_codes() == before[1:]
    assert RecoveryCodes(Authenticator.objects.get(user=wu)).get_unused_codes() == ["11111111", "22222222"]
