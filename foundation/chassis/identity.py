"""Who is calling, and what they may see: device keys, and short-lived EdDSA tokens for people and programs."""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from starlette.requests import HTTPConnection

from foundation.chassis.problems import Problem

DEVICE_KEY = re.compile(r"vgd_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
AUDIENCE = "vonggac"
OPERATOR = "vonggac"
"""Issuer of the tokens that ``vonggac token create`` makes: trusted by all services, for people of every role."""
SERVICE_TOKEN_S = 300
SCOPES: dict[str, frozenset[str]] = {
    "province_desk": frozenset({"read", "operate", "administer", "events:read"}),
    "unit_officer": frozenset({"read", "operate"}),
    "leader": frozenset({"read"}),
    "integrator": frozenset({"events:read"}),
    "service": frozenset({"events:read"}),
}
"""What each role may do."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller may see and do. ``unit`` and ``commune`` narrow; None means the whole area.

    Whoever belongs to a unit has a unit: a token of a unit officer without one sees nothing.
    """

    subject: str
    role: str
    area: str
    unit: str | None = None
    commune: str | None = None

    @property
    def narrow(self) -> bool:
        """True for a caller who sees only what is their unit's, not the whole area."""
        return self.role == "unit_officer"

    def may(self, action: str) -> bool:
        return action in SCOPES.get(self.role, frozenset())

    def require(self, action: str) -> None:
        """Raises 403 unless the role may do ``action``."""
        if not self.may(action):
            raise Problem("forbidden")

    def require_area(self, area: str) -> None:
        """Raises 403 unless ``area`` is the caller's."""
        if area != self.area:
            raise Problem("forbidden")


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device's key as presented: who it says it is, and the hash of the secret that must match."""

    device_id: UUID
    secret_hash: bytes

    def matches(self, stored: bytes | None) -> bool:
        return stored is not None and hmac.compare_digest(self.secret_hash, stored)


def hash_secret(secret: str) -> bytes:
    """SHA-256 is enough: the secret has 256 random bits, there is nothing to guess."""
    return hashlib.sha256(secret.encode("ascii")).digest()


def new_device_secret() -> str:
    """A fresh 256-bit secret, 43 characters; shown once, never stored."""
    return secrets.token_urlsafe(32)


def device_key(device_id: UUID, secret: str) -> str:
    """The key a device sends: ``vgd_<id>_<secret>``."""
    return f"vgd_{device_id.hex}_{secret}"


def bearer(connection: HTTPConnection) -> str:
    """The bearer credential of a request. Raises 401."""
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Problem("unauthorized")
    return credential.strip()


def presented_device_key(connection: HTTPConnection) -> DeviceKey:
    """The device key of a request. Raises 401, or 403 where an operator's token knocks at a device's door."""
    credential = bearer(connection)
    if credential.count(".") == 2:
        raise Problem("forbidden", "Cửa này chỉ dành cho thiết bị.", "This door is for devices only.")
    match = DEVICE_KEY.fullmatch(credential)
    if match is None:
        raise Problem("unauthorized")
    return DeviceKey(UUID(match[1]), hash_secret(match[2]))


def create_key(folder: Path, name: str) -> None:
    """Makes ``<name>.key`` (private, mode 0600) and ``<name>.pub`` in ``folder`` unless they are there.

    Each is in its place at once or not at all, whatever is killed when; of several processes the first decides.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private_file, public_file = folder / f"{name}.key", folder / f"{name}.pub"
    if private_file.exists() and public_file.exists():
        return
    pem, fresh = serialization.Encoding.PEM, folder / f".{name}.{uuid4().hex}"
    fresh.touch(mode=0o600)
    fresh.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with contextlib.suppress(FileExistsError):
        os.link(fresh, private_file)
    fresh.unlink()
    public = _private_key(private_file).public_key()
    fresh.write_bytes(public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    fresh.rename(public_file)


def _private_key(file: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def create_token(folder: Path, issuer: str, *, role: str, area: str, seconds: int, **claims: str | None) -> str:
    """A token signed with the key of ``issuer``; ``claims`` may name ``sub``, ``unit`` and ``commune``."""
    now = int(time.time())
    body = {"iss": issuer, "aud": AUDIENCE, "iat": now, "exp": now + seconds, "jti": uuid4().hex, "sub": role}
    body |= {"role": role, "area": area} | {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(body, _private_key(folder / f"{issuer}.key"), algorithm="EdDSA", headers={"kid": issuer})


class Identity:
    """The keys that a service trusts: every ``*.pub`` in its folder, by the issuer's name."""

    def __init__(self, folder: Path, service: str) -> None:
        self._folder = folder
        self._service = service
        self._trusted: dict[str, Ed25519PublicKey] = {}
        self._service_tokens: dict[str, tuple[float, str]] = {}

    def _key_of(self, issuer: str) -> Ed25519PublicKey:
        """The public key of an issuer, read once. Raises ``KeyError`` for one that is not trusted."""
        if issuer not in self._trusted:
            names = {file.stem: file for file in self._folder.glob("*.pub")}
            key = serialization.load_pem_public_key(names[issuer].read_bytes())
            assert isinstance(key, Ed25519PublicKey)
            self._trusted[issuer] = key
        return self._trusted[issuer]

    def caller(self, connection: HTTPConnection) -> Scope:
        """Who calls an operator's door. Raises 401, or 403 for a device's key."""
        credential = bearer(connection)
        if DEVICE_KEY.fullmatch(credential):
            raise Problem("forbidden", "Khoá thiết bị không dùng được ở đây.", "A device's key is not for this door.")
        return self.scope_of(credential)

    def scope_of(self, token: str) -> Scope:
        """The scope in a token. Raises 401 when it is expired, foreign or forged."""
        try:
            issuer = jwt.get_unverified_header(token).get("kid", "")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(issuer),
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=issuer,
                options={"require": ["exp", "iat", "sub"]},
            )
            subject, role, area = (str(claims[name]) for name in ("sub", "role", "area"))
            if role != "service" and issuer not in (OPERATOR, self._service):
                raise Problem("unauthorized")  # a service speaks for itself alone, not for people at another's door
            return Scope(subject, role, area, claims.get("unit"), claims.get("commune"))
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
            raise Problem("unauthorized") from error

    def service_token(self, area: str) -> str:
        """This service's own short-lived token for the feed of another; made anew when half of its life is over."""
        until, token = self._service_tokens.get(area, (0.0, ""))
        if until < time.monotonic():
            token = create_token(
                self._folder, self._service, role="service", area=area, seconds=SERVICE_TOKEN_S, sub=self._service
            )
            self._service_tokens[area] = (time.monotonic() + SERVICE_TOKEN_S / 2, token)
        return token
