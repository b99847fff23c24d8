"""First release: sites, posts, devices, signals, incidents, their timeline, and the streams."""

from foundation.chassis.database import run_script
from foundation.streams import consumer, ledger

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE site (
    id uuid PRIMARY KEY, area text NOT NULL, name text NOT NULL, kind text NOT NULL, commune_code text NOT NULL,
    address text, former_district text, lat double precision, lon double precision,
    active boolean NOT NULL DEFAULT true, version bigint NOT NULL DEFAULT 1, changed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX site_by_area ON site (area, name, id);
CREATE TABLE post (
    id uuid PRIMARY KEY, area text NOT NULL, site_id uuid NOT NULL REFERENCES site, name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX post_by_site ON post (site_id);
CREATE TABLE device (
    id uuid PRIMARY KEY, area text NOT NULL, post_id uuid NOT NULL REFERENCES post, name text NOT NULL,
    type text NOT NULL, secret_hash bytea NOT NULL, old_secret_hash bytea, revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_by_post ON device (post_id);
CREATE TABLE signal (
    id uuid PRIMARY KEY, area text NOT NULL, device_id uuid NOT NULL, post_id uuid NOT NULL, site_id uuid NOT NULL,
    kind text NOT NULL, event text NOT NULL, drill boolean NOT NULL, zone text NOT NULL, note text,
    lat double precision, lon double precision, occurred_at timestamptz NOT NULL, sent_at timestamptz,
    received_at timestamptz NOT NULL, effective_at timestamptz NOT NULL, skew_ms bigint, body_hash bytea NOT NULL,
    decided text NOT NULL, incident_id uuid, answer_status text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX signal_by_incident ON signal (incident_id, received_at);
CREATE TABLE correlation_slot (
    site_id uuid NOT NULL, kind text NOT NULL, drill boolean NOT NULL, PRIMARY KEY (site_id, kind, drill)
);
CREATE TABLE incident (
    id uuid PRIMARY KEY, version bigint NOT NULL, cause text NOT NULL, area text NOT NULL, site_id uuid NOT NULL,
    site_name text NOT NULL, site_kind text NOT NULL, commune_code text NOT NULL, address text,
    lat double precision, lon double precision, post_id uuid, kind text NOT NULL, severity smallint NOT NULL,
    status text NOT NULL, drill boolean NOT NULL, silent boolean NOT NULL, validation_level smallint NOT NULL,
    rings integer NOT NULL, signals integer NOT NULL, restored jsonb NOT NULL, effective_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL, last_signal_at timestamptz NOT NULL, changed_at timestamptz NOT NULL,
    follows uuid, ended_at timestamptz, result text, ended_by text, end_reason text, notes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX incident_by_slot ON incident (site_id, kind, drill, effective_at);
CREATE INDEX incident_live_by_slot ON incident (site_id, kind, drill, effective_at)
    WHERE status IN ('open', 'confirmed');
CREATE INDEX incident_by_area ON incident (area, effective_at DESC, id);
CREATE TABLE held_signal (
    signal_id uuid PRIMARY KEY, site_id uuid NOT NULL, kind text NOT NULL, drill boolean NOT NULL,
    device_id uuid NOT NULL, zone text NOT NULL, due_at timestamptz NOT NULL,
    UNIQUE (site_id, kind, drill, device_id, zone)
);
CREATE INDEX held_signal_by_due ON held_signal (due_at);
CREATE TABLE timeline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident_id uuid NOT NULL, at timestamptz NOT NULL,
    type text NOT NULL, by text, unit_code text, unit_name text, alert_id uuid, result text, reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (incident_id, type, alert_id, at)
);
"""


def upgrade() -> None:
    run_script(TABLES)
    run_script(ledger.SCHEMA)
    run_script(consumer.SCHEMA)
