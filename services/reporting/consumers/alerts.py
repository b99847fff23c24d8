"""What notifications says about its alerts: who was alerted when, and what was done about it."""

import asyncpg

from foundation.contracts.alerts import TOPIC, AlertState
from foundation.streams.consumer import Batch
from services.reporting.consumers.folding import fold_into_facts
from services.reporting.consumers.hearing import keep


async def apply(connection: asyncpg.Connection, batch: Batch) -> None:
    """Keeps the events and folds them into facts and figures; an alert may come before its incident."""
    if batch.events:
        await fold_into_facts(connection, batch.area, await keep(connection, batch, TOPIC, AlertState))
