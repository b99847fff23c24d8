"""First release: what was heard, the facts folded from it, and the figures added up from the facts."""

from alembic import op

from foundation.streams import consumer

revision = "0001"
down_revision = None

EVENT_LOG = """
CREATE TABLE event_log (
    topic text NOT NULL, area text NOT NULL, epoch bigint NOT NULL, sequence bigint NOT NULL,
    type text NOT NULL, key text NOT NULL, version bigint NOT NULL, time timestamptz NOT NULL,
    data json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, area, epoch, sequence)
)
"""

SITE = """
CREATE TABLE site (
    id text COLLATE "C" PRIMARY KEY, area text NOT NULL, name text NOT NULL, commune_code text NOT NULL,
    kind text NOT NULL, version bigint NOT NULL
)
"""

FACT = """
CREATE TABLE fact (
    incident_id text COLLATE "C" PRIMARY KEY, area text COLLATE "C" NOT NULL,
    incident_version bigint NOT NULL DEFAULT 0,
    complete boolean NOT NULL GENERATED ALWAYS AS (incident_version > 0) STORED,
    site_id text COLLATE "C", commune_code text COLLATE "C", kind text COLLATE "C", severity smallint, status text,
    drill boolean, effective_at timestamptz,
    raised_at timestamptz, acknowledged_at timestamptz, on_scene_at timestamptz,
    hour timestamptz, incidents smallint NOT NULL DEFAULT 0, cancelled smallint NOT NULL DEFAULT 0,
    drills smallint NOT NULL DEFAULT 0,
    signal_to_alert_bucket smallint, alert_to_acknowledged_bucket smallint, acknowledged_to_on_scene_bucket smallint,
    CONSTRAINT fact_contributes_when_complete CHECK (
        (incident_version > 0) = (hour IS NOT NULL) AND incidents + drills = (incident_version > 0)::int
    )
)
"""

FACT_BY_TIME = "CREATE INDEX fact_by_time ON fact (area, effective_at)"

FACT_ALERT = """
CREATE TABLE fact_alert (
    incident_id text COLLATE "C" NOT NULL, alert_id text COLLATE "C" NOT NULL, version bigint NOT NULL,
    raised_at timestamptz NOT NULL, acknowledged_at timestamptz, on_scene_at timestamptz,
    PRIMARY KEY (incident_id, alert_id)
)
"""

ROLLUP = """
CREATE TABLE rollup (
    area text COLLATE "C" NOT NULL, hour timestamptz NOT NULL, commune_code text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL, site_id text COLLATE "C" NOT NULL,
    incidents bigint NOT NULL, cancelled bigint NOT NULL, drills bigint NOT NULL,
    PRIMARY KEY (area, hour, commune_code, kind, site_id)
)
"""

ROLLUP_DURATION = """
CREATE TABLE rollup_duration (
    area text COLLATE "C" NOT NULL, hour timestamptz NOT NULL, commune_code text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL, site_id text COLLATE "C" NOT NULL,
    measure text COLLATE "C" NOT NULL, bucket smallint NOT NULL, count bigint NOT NULL,
    PRIMARY KEY (area, hour, commune_code, kind, site_id, measure, bucket)
)
"""


def upgrade() -> None:
    for statement in (EVENT_LOG, SITE, FACT, FACT_BY_TIME, FACT_ALERT, ROLLUP, ROLLUP_DURATION, consumer.SCHEMA):
        op.execute(statement)
