"""One-time login codes: stored as a hash, good once and for a short while."""

import hashlib
import secrets
from datetime import datetime

import asyncpg

from foundation.chassis.identity import Scope

CODE_BYTES = 24
"""192 random bits: nobody guesses one."""

MINT = """
INSERT INTO login_code (code_hash, subject, role, area, unit, commune, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Only one of two who come at the same moment gets the row.
REDEEM = """
UPDATE login_code SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2
RETURNING subject, role, area, unit, commune
"""
FORGET = "DELETE FROM login_code WHERE expires_at < $1"


async def mint(connection: asyncpg.Connection, scope: Scope, now: datetime, expires_at: datetime) -> str:
    """A new code that stands for ``scope``. Forgets those that have expired."""
    code = secrets.token_urlsafe(CODE_BYTES)
    await connection.execute(FORGET, now)
    await connection.execute(
        MINT, _hash(code), scope.subject, scope.role, scope.area, scope.unit, scope.commune, expires_at
    )
    return code


async def redeem(connection: asyncpg.Connection, code: str, now: datetime) -> Scope | None:
    """The scope that a code stands for, the first time; None if it is wrong, used or expired."""
    row = await connection.fetchrow(REDEEM, _hash(code), now)
    return None if row is None else Scope(row["subject"], row["role"], row["area"], row["unit"], row["commune"])


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
