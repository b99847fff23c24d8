"""What incidents says about its incidents: what happened, where, of which kind, and whether it was cancelled."""

import asyncpg

from foundation.contracts.incidents import TOPIC, IncidentState
from foundation.streams.consumer import Batch
from services.reporting.consumers.folding import fold_into_facts
from services.reporting.consumers.hearing import keep


async def apply(connection: asyncpg.Connection, batch: Batch) -> None:
    """Keeps the events and folds them into facts and figures."""
    if batch.events:
        await fold_into_facts(connection, batch.area, await keep(connection, batch, TOPIC, IncidentState))
