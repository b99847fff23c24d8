"""What incidents says about one site: topic ``vonggac.sites``, type ``vn.vonggac.site.changed.v1``."""

from typing import Literal

from pydantic import Field

from foundation.contracts.fields import Contract, Instant, Position

TOPIC = "vonggac.sites"
TYPE = "vn.vonggac.site.changed.v1"

SiteKind = Literal["agency", "enterprise", "school"]


class SiteState(Contract):
    """The whole public state of one site."""

    id: str
    version: int = Field(ge=1)
    area: str
    name: str
    kind: SiteKind
    commune_code: str
    address: str | None = None
    former_district: str | None = Field(None, description="as people still say it, such as Hải Lăng")
    position: Position | None = None
    active: bool = True
    changed_at: Instant
