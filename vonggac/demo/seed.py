"""Writes the demo province into the databases; done twice it changes nothing."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from vonggac.demo.province import device_key

if TYPE_CHECKING:
    from services.incidents.service import NewDevice, NewPost, NewSite
    from services.notifications.service import Unit

SECRET_FILE = "demo.secret"  # noqa: S105 - a file name


def demo_secret(folder: Path) -> bytes:
    """The secret from which the demo devices' keys come; made at the first call, mode 0600."""
    file = folder / SECRET_FILE
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        fresh = folder / f"{SECRET_FILE}.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.rename(file)
    return file.read_bytes()


def device_list(secret: bytes) -> list[dict[str, Any]]:
    """All demo devices with their keys and places, as the ready file lists them."""
    from vonggac.demo.province import demo_devices, demo_sites

    sites = {site.id: site for site in demo_sites()}
    return [
        {
            "key": device_key(secret, device.id),
            "device_id": str(device.id),
            "post_id": str(device.post_id),
            "site_id": str(device.site_id),
            "site_name": sites[device.site_id].name,
            "commune_code": sites[device.site_id].commune_code,
        }
        for device in demo_devices()
    ]


def demo_rows(secret: bytes) -> "tuple[list[NewSite], list[NewPost], list[NewDevice], list[Unit]]":
    """The demo province as the services take it."""
    from foundation.chassis.identity import hash_secret
    from services.incidents.service import NewDevice, NewPost, NewSite
    from services.notifications.service import Unit
    from vonggac.demo.province import AREA, demo_devices, demo_posts, demo_sites, demo_units

    sites = [
        NewSite(s.id, s.area, s.name, s.kind, s.commune_code, s.address, s.former_district, s.lat, s.lon)
        for s in demo_sites()
    ]
    posts = [NewPost(post.id, AREA, post.site_id, post.name) for post in demo_posts()]
    devices = [
        NewDevice(device.id, AREA, device.post_id, device.name, device.type, hash_secret(secret_of(secret, device.id)))
        for device in demo_devices()
    ]
    units = [Unit(unit.code, unit.name, unit.kind, tuple(unit.commune_codes)) for unit in demo_units()]
    return sites, posts, devices, units


async def seed(keys_dir: Path) -> None:
    """Sites, posts and devices into incidents; units into notifications. Database URLs come from the environment."""
    from services.incidents.service import put_register
    from services.notifications.service import Settings, seed_units
    from vonggac.demo.province import AREA

    sites, posts, devices, units = demo_rows(demo_secret(keys_dir))
    await asyncio.gather(put_register(sites, posts, devices), seed_units(Settings(), AREA, units))


def secret_of(secret: bytes, device_id: UUID) -> str:
    """The secret part of a demo device's key."""
    return device_key(secret, device_id).split("_", 2)[2]
