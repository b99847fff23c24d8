"""The demo province: units, sites, posts, devices and their keys. Pure, and the same at every start.

Ids are UUIDs of version 5 over a fixed namespace and the Vietnamese names, so they are the same on every machine.
What is real and what is invented stands in ``SOURCES.md``.
"""

import base64
import hashlib
import hmac
import math
from dataclasses import dataclass
from functools import cache
from typing import Literal
from uuid import UUID, uuid5

from vonggac.demo.catalogue import PlannedSite, SiteKind, planned_sites
from vonggac.demo.communes import Commune, communes

AREA = "44"
"""Quảng Trị's official province code since 1 July 2025."""

UnitKind = Literal["commune_police", "fire_police", "province_desk"]
DeviceType = Literal["phone", "panel", "transmitter"]

_NAMESPACE = UUID("8f0c8f0e-6d0f-5a44-9a44-5d1f2b7c4e44")  # never change it: every id of the demo hangs on it
_KM_PER_DEGREE = 111.32  # of latitude; of longitude times cos(latitude)
_SETTLED_SHARE = 0.4  # of the radius of a circle of the commune's area: people live around the centre
_SETTLED_RADIUS_MAX_KM = 3.0  # and not deep in the forest of the 900 km² communes
_AREA_UNKNOWN_KM2 = 50.0  # two communes have no area in the source
_DEVICE_WORDS: dict[DeviceType, str] = {
    "phone": "Điện thoại trực",
    "panel": "Tủ báo động",
    "transmitter": "Bộ truyền tin báo cháy",
}


@dataclass(frozen=True, slots=True)
class DemoUnit:
    """A police unit and the communes it covers."""

    code: str
    name: str
    kind: UnitKind
    commune_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A site under protection; ``lat`` and ``lon`` in degrees (WGS 84), ``former_district`` as people still say it."""

    id: UUID
    area: str
    name: str
    kind: SiteKind
    commune_code: str
    address: str
    former_district: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class DemoPost:
    """A place at a site where guards are on duty."""

    id: UUID
    site_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class DemoDevice:
    """One credentialed sender at a post."""

    id: UUID
    post_id: UUID
    site_id: UUID
    name: str
    type: DeviceType


@dataclass(frozen=True, slots=True)
class _Province:
    sites: tuple[DemoSite, ...]
    report_sites: tuple[DemoSite, ...]
    posts: tuple[DemoPost, ...]
    devices: tuple[DemoDevice, ...]


def demo_units() -> list[DemoUnit]:
    """A commune police unit for each commune, then the fire police and the province's duty desk, which cover all."""
    every = tuple(commune.code for commune in communes())
    return [
        *(_commune_police(commune) for commune in communes()),
        DemoUnit("PC07", "Phòng Cảnh sát PCCC và CNCH (PC07)", "fire_police", every),
        DemoUnit("TRUC-BAN", "Trực ban Công an tỉnh Quảng Trị", "province_desk", every),
    ]


def demo_sites() -> list[DemoSite]:
    """All sites, by commune."""
    return list(_province().sites)


def report_2020_sites() -> list[DemoSite]:
    """The demo's stand-ins for the offices that the newspaper report of 2020 counts without naming them.

    Six provincial offices in Đông Hà, and one in each of Hải Lăng, Gio Linh, Hướng Hóa and Đakrông; all of them are in
    ``demo_sites()`` too.
    """
    return list(_province().report_sites)


def demo_posts() -> list[DemoPost]:
    """All posts, one to three a site, by site."""
    return list(_province().posts)


def demo_devices() -> list[DemoDevice]:
    """All devices, by post: a phone at every post, a panel and a fire transmitter where the sort of site has one."""
    return list(_province().devices)


def device_key(secret: bytes, device_id: UUID) -> str:
    """``vgd_<id as 32 hex>_<43 characters>``, derived from the demo's secret so that every start can list it.

    Whoever knows ``secret`` knows every key: it belongs in the data folder and nowhere else.
    Raises ``ValueError`` for an empty secret, with which anyone could compute the keys.
    """
    if not secret:
        raise ValueError("the demo secret is empty")
    digest = hmac.digest(secret, device_id.bytes, hashlib.sha256)
    return f"vgd_{device_id.hex}_{base64.urlsafe_b64encode(digest).rstrip(b'=').decode('ascii')}"


def settled_radius_km(commune: Commune) -> float:
    """How far from the commune's centre the demo puts sites, in kilometres; at most 3."""
    area_km2 = commune.area_km2 or _AREA_UNKNOWN_KM2
    return min(_SETTLED_SHARE * math.sqrt(area_km2 / math.pi), _SETTLED_RADIUS_MAX_KM)


def _commune_police(commune: Commune) -> DemoUnit:
    return DemoUnit(f"CAX-{commune.code}", f"Công an {commune.label}", "commune_police", (commune.code,))


@cache
def _province() -> _Province:
    sites: list[DemoSite] = []
    report_sites: list[DemoSite] = []
    posts: list[DemoPost] = []
    devices: list[DemoDevice] = []
    for planned in planned_sites():
        site = _site(planned)
        sites.append(site)
        if planned.in_report_2020:
            report_sites.append(site)
        for post_name in planned.profile.posts:
            post = DemoPost(uuid5(_NAMESPACE, f"post/{site.id}/{post_name}"), site.id, post_name)
            posts.append(post)
            devices += _devices(planned, post)
    return _Province(tuple(sites), tuple(report_sites), tuple(posts), tuple(devices))


def _site(planned: PlannedSite) -> DemoSite:
    commune = planned.commune
    site_id = uuid5(_NAMESPACE, f"site/{commune.code}/{planned.name}")
    lat, lon = _position(commune, site_id)
    return DemoSite(
        id=site_id,
        area=AREA,
        name=planned.name,
        kind=planned.profile.kind,
        commune_code=commune.code,
        address=planned.address,
        former_district=commune.spoken_districts[0],
        lat=lat,
        lon=lon,
    )


def _devices(planned: PlannedSite, post: DemoPost) -> list[DemoDevice]:
    types: list[DeviceType] = ["phone"]
    if post.name in planned.profile.panels:
        types.append("panel")
    if post.name in planned.profile.transmitters:
        types.append("transmitter")
    place = post.name[0].lower() + post.name[1:]
    return [
        DemoDevice(
            id=uuid5(_NAMESPACE, f"device/{post.id}/{type_}"),
            post_id=post.id,
            site_id=post.site_id,
            name=f"{_DEVICE_WORDS[type_]} {place}",
            type=type_,
        )
        for type_ in types
    ]


def _position(commune: Commune, site_id: UUID) -> tuple[float, float]:
    """A point near the commune's centre, evenly spread over a disc, chosen by the id's own (SHA-1) bits."""
    radius_km = settled_radius_km(commune) * math.sqrt(site_id.node / 2**48)
    angle = 2 * math.pi * site_id.time_low / 2**32
    lat = commune.lat + radius_km * math.sin(angle) / _KM_PER_DEGREE
    lon = commune.lon + radius_km * math.cos(angle) / (_KM_PER_DEGREE * math.cos(math.radians(commune.lat)))
    return round(lat, 5), round(lon, 5)  # 5 decimals: one metre
