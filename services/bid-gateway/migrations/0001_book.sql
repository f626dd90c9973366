-- One row for each work that was bid on, or whose bidding ended: it is held by whoever changes its bids.
CREATE TABLE book (
    work_id     uuid          NOT NULL PRIMARY KEY,
    consumer_id uuid          NOT NULL,
    internal    boolean       NOT NULL,
    currency    text          NOT NULL,
    max_price   numeric(18,6) NOT NULL,
    close_time  timestamptz   NOT NULL,
    seal_time   timestamptz,
    live_bids   bigint        NOT NULL CHECK (live_bids BETWEEN 0 AND 1000),
    total_bids  bigint        NOT NULL,
    version     bigint        NOT NULL,
    create_time timestamptz   NOT NULL,
    update_time timestamptz   NOT NULL
);

CREATE TABLE bid (
    work_id              uuid             NOT NULL,
    bid_id               uuid             NOT NULL,
    provider_id          uuid             NOT NULL,
    provider_tenant_id   uuid             NOT NULL,
    consumer_id          uuid             NOT NULL,
    agent_id             uuid,
    currency             text             NOT NULL,
    price                numeric(18,6)    NOT NULL CHECK (price > 0),
    confidence           double precision NOT NULL,
    approach             text             NOT NULL,
    estimated_latency_ms bigint,
    sla_latency_ms       bigint,
    sla_availability     double precision,
    sample_input         text,
    sample_output        text,
    sample_latency_ms    bigint,
    endpoint             text             NOT NULL,
    regions              text[]           NOT NULL,
    status               text             NOT NULL CHECK (status IN ('RECEIVED', 'SUPERSEDED', 'WITHDRAWN', 'RANKED',
                                                                     'DISQUALIFIED', 'AWARDED', 'LOST')),
    status_reason        text             NOT NULL,
    revision             bigint           NOT NULL CHECK (revision BETWEEN 1 AND 20),
    expire_time          timestamptz      NOT NULL,
    receive_time         timestamptz      NOT NULL,
    update_time          timestamptz      NOT NULL,
    PRIMARY KEY (work_id, bid_id)
);
CREATE UNIQUE INDEX bid_by_id ON bid (bid_id);
CREATE UNIQUE INDEX bid_by_revision ON bid (work_id, provider_id, revision);
CREATE INDEX bid_by_arrival ON bid (work_id, receive_time, bid_id);
CREATE INDEX bid_by_provider ON bid (provider_tenant_id, provider_id, receive_time, bid_id);
