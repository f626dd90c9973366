-- What every service keeps beside its own tables.

-- One row per request that took effect: its hash, to know it again, and its reply, to answer it again.
CREATE TABLE idempotency (
    scope        text        NOT NULL,
    method       text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    reply        bytea,
    create_time  timestamptz NOT NULL,
    PRIMARY KEY (scope, method, key)
);
CREATE INDEX idempotency_by_time ON idempotency (create_time);

-- Events that were committed here and are not in the event ledger yet. Ids give no order: two events of one instant
-- are told apart by their aggregate and its version.
CREATE TABLE outbox (
    occur_time        timestamptz NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    event             bytea       NOT NULL,
    PRIMARY KEY (occur_time, aggregate_id, aggregate_version)
);

-- How far each of the service's consumers has come in the event ledger.
CREATE TABLE feed (
    consumer text   NOT NULL PRIMARY KEY,
    sequence bigint NOT NULL
);

-- Work that only one replica does at a time.
CREATE TABLE lease (
    name       text        NOT NULL PRIMARY KEY,
    holder     uuid        NOT NULL,
    until_time timestamptz NOT NULL
);

-- What is to be done, and when. The rows are recomputed from state on a replay.
CREATE TABLE timer (
    kind         text        NOT NULL,
    key          uuid        NOT NULL,
    due_time     timestamptz NOT NULL,
    leased_until timestamptz,
    attempts     integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, key)
);
CREATE INDEX timer_by_due ON timer (kind, due_time);

-- What watchers are told, by resource; the version is the resume token.
CREATE TABLE watch_log (
    resource_id uuid        NOT NULL,
    version     bigint      NOT NULL,
    message     bytea       NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version)
);
CREATE INDEX watch_log_by_time ON watch_log (create_time);
