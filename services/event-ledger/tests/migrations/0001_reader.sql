-- What the followers and jobs of tests did.
CREATE TABLE seen (
    event_id text    NOT NULL PRIMARY KEY,
    place    bigint  NOT NULL,
    times    integer NOT NULL
);
CREATE TABLE done (
    key  uuid    NOT NULL PRIMARY KEY,
    runs integer NOT NULL
);
