"""Writes the passwords and signing keys that are not there yet, each where only its owner finds and reads it.

    python write_secrets.py FOLDER

FOLDER has a sub-folder for each holder, in compose a volume each that only its container mounts:

- ``postgres``: the superuser's password and each service's, ``NAME.password``; ``pgpass`` for the superuser;
- ``incidents``, ``notifications``, ``reporting``: ``pgpass`` with the password of the service's own role, and ``keys/``
  with its own private key and the public keys of all;
- ``operator``: ``pgpass`` for the two databases that the demo province is written into, and ``keys/`` with the private
  key of the ``vonggac`` command, which signs people's tokens.

Done again it changes nothing. Whoever wants a new password or key deletes its file and starts compose again.
"""

import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from foundation.chassis.identity import create_key

SERVICES = ("incidents", "notifications", "reporting")
OPERATOR = "operator"
KEYS = {**{name: name for name in SERVICES}, "vonggac": OPERATOR}
"""Each signing key, and who holds it."""
OUR_USER = 10001
"""The user of our image (deploy/image/Dockerfile)."""
POSTGRES_USER = 999
"""The user ``postgres`` of the official Debian images of PostgreSQL."""


def main(folder: Path) -> None:
    """Completes what is in ``folder``. Whatever fails leaves files that are whole, and a next run goes on."""
    owners = {"postgres": POSTGRES_USER, **dict.fromkeys((*SERVICES, OPERATOR), OUR_USER)}
    for name in owners:
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    passwords = {name: _password(folder / "postgres" / f"{name}.password") for name in ("postgres", *SERVICES)}
    _write(folder / "postgres" / "pgpass", f"*:*:*:postgres:{passwords['postgres']}\n")
    for name in SERVICES:
        _write(folder / name / "pgpass", _pgpass([name], passwords))
    _write(folder / OPERATOR / "pgpass", _pgpass(["incidents", "notifications"], passwords))
    _keys(folder)
    for name, owner in owners.items():
        _give(folder / name, owner)


def _password(file: Path) -> str:
    """The password in ``file``; 256 random bits at the first call. It holds no colon, which pgpass would take apart."""
    if not file.exists():
        _write(file, secrets.token_urlsafe(32))
    return file.read_text()


def _pgpass(roles: Iterable[str], passwords: dict[str, str]) -> str:
    """Lines of PostgreSQL's password file: any host and port, for each role only the database of its name."""
    return "".join(f"*:*:{role}:{role}:{passwords[role]}\n" for role in roles)


def _keys(folder: Path) -> None:
    """A key pair for each signer, the private half with its holder alone, the public halves with all."""
    for name, holder in KEYS.items():
        create_key(folder / holder / "keys", name)
    for name, holder in KEYS.items():
        public = (folder / holder / "keys" / f"{name}.pub").read_text()
        for other in set(KEYS.values()) - {holder}:
            _write(folder / other / "keys" / f"{name}.pub", public)


def _write(file: Path, text: str) -> None:
    """Replaces ``file`` in one step, mode 0600 from its first moment, unless it says the same already."""
    if file.exists() and file.read_text() == text:
        return
    fresh = file.with_name(f".{file.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(file)


def _give(folder: Path, owner: int) -> None:
    """Makes everything in ``folder`` the property of ``owner`` alone; of whoever runs this, unless it is root."""
    for path in (folder, *folder.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, owner, owner)
        path.chmod(0o700 if path.is_dir() else 0o600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
