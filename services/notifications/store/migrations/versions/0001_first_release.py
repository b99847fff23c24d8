"""First release: units and what they cover, copies of incidents, alerts and what officers did, and the streams."""

from foundation.chassis.database import run_script
from foundation.streams import consumer, ledger

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE unit (
    area text NOT NULL, code text NOT NULL, name text NOT NULL, kind text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (area, code)
);
CREATE TABLE coverage (
    area text NOT NULL, unit_code text NOT NULL, commune_code text NOT NULL,
    PRIMARY KEY (area, unit_code, commune_code), FOREIGN KEY (area, unit_code) REFERENCES unit
);
CREATE INDEX coverage_by_commune ON coverage (area, commune_code);
CREATE TABLE incident (
    id uuid PRIMARY KEY, area text NOT NULL, version bigint NOT NULL, status text NOT NULL, state text NOT NULL,
    route_by timestamptz, held text, routed_key text, routed_rings integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX incident_put_off ON incident (area, route_by) WHERE route_by IS NOT NULL;
CREATE INDEX incident_held ON incident (area, held) WHERE held IS NOT NULL;
CREATE TABLE alert (
    id uuid PRIMARY KEY, area text NOT NULL, incident_id uuid NOT NULL REFERENCES incident, unit_code text NOT NULL,
    status text NOT NULL, kind text NOT NULL, severity smallint NOT NULL, late boolean NOT NULL,
    raised_at timestamptz NOT NULL, state text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (incident_id, unit_code)
);
CREATE INDEX alert_by_area ON alert (area, raised_at DESC, id DESC);
CREATE INDEX alert_by_unit ON alert (area, unit_code, raised_at DESC, id DESC);
CREATE INDEX alert_open ON alert (area, raised_at DESC, id DESC) WHERE status <> 'stood_down';
CREATE TABLE action (
    alert_id uuid NOT NULL REFERENCES alert, version bigint NOT NULL, action text NOT NULL, by text NOT NULL,
    at timestamptz NOT NULL, reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, version)
);
CREATE TABLE login_code (
    code_hash bytea PRIMARY KEY, subject text NOT NULL, role text NOT NULL, area text NOT NULL, unit text,
    commune text, expires_at timestamptz NOT NULL, used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE heard (area text PRIMARY KEY, at timestamptz NOT NULL, backlog_at timestamptz);
"""


def upgrade() -> None:
    run_script(TABLES)
    run_script(ledger.SCHEMA)
    run_script(consumer.SCHEMA)
