-- One row for each evaluation, made once and never changed. What it is made of stands encoded in `verdict`, so that a
-- thousand bids are one row to write and to read.
CREATE TABLE evaluation (
    evaluation_id uuid        NOT NULL PRIMARY KEY,
    work_id       uuid        NOT NULL,
    consumer_id   uuid        NOT NULL,
    status        text        NOT NULL CHECK (status IN ('EVALUATED', 'NO_BIDS')),
    verdict       bytea       NOT NULL,
    version       bigint      NOT NULL,
    create_time   timestamptz NOT NULL
);
-- A work is evaluated once.
CREATE UNIQUE INDEX evaluation_by_work ON evaluation (work_id);
