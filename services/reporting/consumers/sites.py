"""What incidents says about its sites: names for the figures."""

import asyncpg

from foundation.contracts.sites import TOPIC, SiteState
from foundation.streams.consumer import Batch
from services.reporting.consumers.hearing import keep
from services.reporting.store import sites


async def apply(connection: asyncpg.Connection, batch: Batch) -> None:
    """Keeps the events and each site's newest version."""
    if batch.events:
        await sites.keep_newest(connection, batch.area, await keep(connection, batch, TOPIC, SiteState))
