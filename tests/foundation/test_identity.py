"""Keys and tokens: what is believed, of whom, and for how long."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from starlette.requests import Request

from foundation.chassis.identity import (
    SCOPES,
    SERVICE_TOKEN_S,
    Identity,
    Scope,
    bearer,
    create_key,
    create_token,
    device_key,
    hash_secret,
    new_device_secret,
    presented_device_key,
)
from foundation.chassis.problems import Problem


def request(authorization: str | None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    return Request({"type": "http", "headers": headers})


def code_of(call: object, *args: object) -> str:
    try:
        call(*args)  # type: ignore[operator]
    except Problem as problem:
        return problem.code
    return "accepted"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name in ("vonggac", "incidents", "reporting"):
        create_key(tmp_path / "keys", name)
    return tmp_path / "keys"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "unauthorized"), ("", "unauthorized"), ("Bearer", "unauthorized"), ("Bearer ", "unauthorized"),
        ("Basic YTpi", "unauthorized"), ("Bearer  x ", "accepted"), ("bearer x", "accepted"), ("BEARER x", "accepted"),
    ],
)  # fmt: skip
def test_a_bearer_credential(authorization: str | None, expected: str) -> None:
    assert code_of(bearer, request(authorization)) == expected


def test_a_device_key_is_what_it_says() -> None:
    device_id, secret = uuid4(), new_device_secret()
    key = presented_device_key(request(f"Bearer {device_key(device_id, secret)}"))
    assert key.device_id == device_id
    assert key.matches(hash_secret(secret))
    assert not key.matches(hash_secret(new_device_secret()))
    assert not key.matches(None)
    assert secret not in repr(key)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_device_secret() for _ in range(200)}
    assert len(made) == 200
    assert {len(secret) for secret in made} == {43}


@pytest.mark.parametrize(
    "credential",
    ["vgd_", "vgd_x_y", "vgd_{id}_{short}", "vgd_{ID}_{secret}", "VGD_{id}_{secret}", "vgd_{id}_{secret}=", "{secret}",
     "vgd_{dashes}_{secret}", "é"],
)  # fmt: skip
def test_what_only_looks_like_a_device_key(credential: str) -> None:
    device_id = UUID("b6f0d3c2-2b5e-4b9e-8a39-6b1d5a0f3a11")
    parts = {
        "id": device_id.hex,
        "ID": device_id.hex.upper(),
        "dashes": device_id,
        "secret": "s" * 43,
        "short": "s" * 42,
    }
    shown = credential.format(**parts)
    assert code_of(presented_device_key, request(f"Bearer {shown}")) == "unauthorized"


def test_a_token_at_a_devices_door_is_forbidden(keys: Path) -> None:
    token = create_token(keys, "vonggac", role="province_desk", area="44", seconds=60)
    assert code_of(presented_device_key, request(f"Bearer {token}")) == "forbidden"


def test_a_device_key_at_an_operators_door_is_forbidden(keys: Path) -> None:
    key = device_key(uuid4(), new_device_secret())
    assert code_of(Identity(keys, "incidents").caller, request(f"Bearer {key}")) == "forbidden"


def test_a_token_says_who_calls(keys: Path) -> None:
    token = create_token(
        keys, "vonggac", role="unit_officer", area="44", seconds=60, sub="An", unit="CAX-19333", commune="19333"
    )
    scope = Identity(keys, "incidents").caller(request(f"Bearer {token}"))
    assert scope == Scope("An", "unit_officer", "44", "CAX-19333", "19333")
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "vonggac", "typ": "JWT"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60
    assert (claims["iss"], claims["aud"]) == ("vonggac", "vonggac")


@pytest.mark.parametrize("missing", ["exp", "iat", "sub", "role", "area", "aud", "iss"])
def test_a_token_without_a_claim_is_not_believed(keys: Path, missing: str) -> None:
    private = serialization.load_pem_private_key((keys / "vonggac.key").read_bytes(), password=None)
    claims = jwt.decode(
        create_token(keys, "vonggac", role="leader", area="44", seconds=60), options={"verify_signature": False}
    )
    del claims[missing]
    token = jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": "vonggac"})  # type: ignore[arg-type]
    assert code_of(Identity(keys, "incidents").scope_of, token) == "unauthorized"


def test_an_issuer_that_came_later_is_trusted_without_a_restart(keys: Path) -> None:
    identity = Identity(keys, "incidents")
    create_key(keys, "notifications")
    token = create_token(keys, "notifications", role="service", area="44", seconds=60)
    assert identity.scope_of(token).role == "service"


def test_a_service_proves_itself_to_another(keys: Path) -> None:
    token = Identity(keys, "reporting").service_token("44")
    assert Identity(keys, "reporting").service_token("44") != token
    scope = Identity(keys, "incidents").scope_of(token)
    assert (scope.subject, scope.role, scope.area) == ("reporting", "service", "44")
    assert scope.may("events:read")
    assert not scope.may("read")


def test_a_service_token_is_kept_for_half_of_its_life(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity, now = Identity(keys, "reporting"), 1000.0
    monkeypatch.setattr("foundation.chassis.identity.time.monotonic", lambda: now)
    first = identity.service_token("44")
    now += SERVICE_TOKEN_S / 2 - 1
    assert identity.service_token("44") == first
    assert identity.service_token("45") != first
    now += 2
    assert identity.service_token("44") != first


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    create_key(folder, "incidents")
    private = folder / "incidents.key"
    before = private.read_bytes()
    create_key(folder, "incidents")
    assert private.read_bytes() == before
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (folder / "incidents.pub").read_bytes()


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    for turn in range(25):
        folder = tmp_path / str(turn)
        with ThreadPoolExecutor(6) as starting:
            list(starting.map(lambda _, folder=folder: create_key(folder, "incidents"), range(6)))
        token = create_token(folder, "incidents", role="service", area="44", seconds=60)
        assert Identity(folder, "reporting").scope_of(token).role == "service"
        assert sorted(file.name for file in folder.iterdir()) == ["incidents.key", "incidents.pub"]


def test_what_each_role_may() -> None:
    assert {role for role in SCOPES if "administer" in SCOPES[role]} == {"province_desk"}
    assert {role for role in SCOPES if "operate" in SCOPES[role]} == {"province_desk", "unit_officer"}
    officer = Scope("An", "unit_officer", "44", "CAX-1", "1")
    assert officer.narrow
    assert code_of(officer.require, "administer") == "forbidden"
    assert code_of(officer.require, "operate") == "accepted"
    assert code_of(officer.require_area, "44") == "accepted"
    assert code_of(officer.require_area, "45") == "forbidden"
    assert not Scope("x", "nobody", "44").may("read")
