-- The end of the log: one row. Who appends holds it from here to the commit, so that places are given without a gap
-- and a later event is never visible before an earlier one.
CREATE TABLE head (
    is_one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (is_one),
    sequence bigint  NOT NULL,
    hash     bytea   NOT NULL
);
INSERT INTO head (sequence, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- The log. The bytes are what the producer encoded; the columns beside them are read from the bytes once, for indexes
-- and filters.
CREATE TABLE event (
    sequence          bigint      NOT NULL PRIMARY KEY,
    event_id          uuid        NOT NULL,
    type              text        NOT NULL,
    producer          text        NOT NULL,
    aggregate_type    text        NOT NULL,
    aggregate_id      text        NOT NULL,
    aggregate_version bigint      NOT NULL,
    event             bytea       NOT NULL,
    hash              bytea       NOT NULL,
    append_time       timestamptz NOT NULL
);
CREATE UNIQUE INDEX event_by_id ON event (event_id);
CREATE UNIQUE INDEX event_by_aggregate ON event (aggregate_id, aggregate_type, producer, aggregate_version);

-- Which tenants may see which events.
CREATE TABLE visible (
    tenant_id uuid   NOT NULL,
    sequence  bigint NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);

-- How far the named consumers of tenants and operators have come.
CREATE TABLE consumer (
    scope       text        NOT NULL,
    name        text        NOT NULL,
    sequence    bigint      NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (scope, name)
);
