"""What must hold of the ledger and the incidents of a database, whatever happened to it."""

from collections import defaultdict

from foundation.contracts.incidents import IncidentState
from tests.incidents.station import Station

TOPIC = "vonggac.incidents"


async def check(station: Station) -> None:
    """Numbers without a gap, versions 1, 2, 3 … of each incident, the newest event as the row, all signals counted."""
    for row in await station.rows("SELECT topic, area, head FROM stream"):
        query = "SELECT sequence FROM ledger WHERE topic = $1 AND area = $2 ORDER BY 1"
        numbers = [found["sequence"] for found in await station.rows(query, row["topic"], row["area"])]
        assert numbers == list(range(1, row["head"] + 1)), row["topic"]
    said: dict[str, list[IncidentState]] = defaultdict(list)
    for row in await station.rows("SELECT payload FROM ledger WHERE topic = $1 ORDER BY sequence", TOPIC):
        state = IncidentState.model_validate_json(row["payload"])
        said[state.id].append(state)
    for states in said.values():
        assert [state.version for state in states] == list(range(1, len(states) + 1))
        assert [state.rings for state in states] == sorted(state.rings for state in states)
        ended = [state.status in ("resolved", "cancelled") for state in states]
        assert ended == sorted(ended), "what ended never lives again"
    rows = await station.rows(
        "SELECT id, version, status, signals, (SELECT count(*) FROM signal s WHERE s.incident_id = i.id) AS stored"
        " FROM incident i"
    )
    assert {str(row["id"]) for row in rows} == set(said)
    for row in rows:
        newest = said[str(row["id"])][-1]
        assert (newest.version, newest.status, newest.signals) == (row["version"], row["status"], row["signals"])
        assert row["signals"] == row["stored"]
