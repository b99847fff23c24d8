"""What the police did, as notifications says it: into the timeline, and never published again (no echoes)."""

from uuid import UUID

import asyncpg

from foundation.contracts.alerts import AlertState
from foundation.streams.consumer import Batch
from services.incidents.store import timeline
from services.incidents.store.timeline import Act


async def on_alerts(connection: asyncpg.Connection, batch: Batch) -> None:
    """Adds what each alert says happened; an act skipped over by an officer carries the time of the later one."""
    acts: dict[tuple[str, str, str], Act] = {}
    for event in batch.events:
        for act in acts_of(AlertState.model_validate_json(event.payload)):
            acts[str(act.alert_id), act.type, act.at.isoformat()] = act
    await timeline.add(connection, list(acts.values()))


def acts_of(alert: AlertState) -> list[Act]:
    """The lines that an alert's whole state stands for."""
    done = [
        ("alerted", alert.raised_at, None, alert.reason),
        ("rung_again", alert.rang_at if alert.rings > 1 else None, None, None),
        ("acknowledged", alert.acknowledged_at, alert.acknowledged_by, None),
        ("dispatched", alert.dispatched_at, alert.dispatched_by, None),
        ("on_scene", alert.on_scene_at, alert.on_scene_by, None),
        ("transferred" if alert.transferred_to else "stood_down", alert.stood_down_at, alert.stood_down_by,
         alert.stood_down_reason),
    ]  # fmt: skip
    return [
        Act(UUID(alert.incident_id), at, kind, by, alert.unit.code, alert.unit.name, UUID(alert.id), None, reason)
        for kind, at, by, reason in done
        if at is not None
    ]
