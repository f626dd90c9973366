CREATE TABLE work (
    consumer_id           uuid          NOT NULL,
    work_id               uuid          NOT NULL,
    category              text          NOT NULL,
    description           text          NOT NULL,
    currency              text          NOT NULL,
    max_price             numeric(18,6) NOT NULL CHECK (max_price > 0),
    bid_strategy          text          NOT NULL CHECK (bid_strategy IN ('LOWEST_PRICE', 'BEST_QUALITY', 'BALANCED')),
    constraints           text          NOT NULL,
    payload_content_type  text,
    payload_size          bigint,
    payload_sha256        bytea,
    payload_location      text,
    payload_preview       text          NOT NULL,
    auto_award            boolean       NOT NULL,
    verification_method   text          NOT NULL CHECK (verification_method IN ('CONSUMER_CONFIRM', 'NONE')),
    review_time_ms        bigint        NOT NULL,
    dispute_window_ms     bigint        NOT NULL,
    contract_duration_ms  bigint        NOT NULL,
    bid_window_ms         bigint        NOT NULL,
    internal              boolean       NOT NULL,
    status                text          NOT NULL CHECK (status IN ('OPEN', 'EVALUATING', 'AWARDING', 'AWARDED',
                                                                   'EXECUTING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    status_reason         text          NOT NULL,
    providers_notified    bigint        NOT NULL,
    bids_received         bigint        NOT NULL,
    valid_bids            bigint,
    contract_id           uuid,
    version               bigint        NOT NULL,
    create_time           timestamptz   NOT NULL,
    close_time            timestamptz   NOT NULL,
    award_deadline        timestamptz,
    award_time            timestamptz,
    end_time              timestamptz,
    update_time           timestamptz   NOT NULL,
    PRIMARY KEY (consumer_id, work_id)
);
CREATE UNIQUE INDEX work_by_id ON work (work_id);

-- The bytes of payloads, once each. No event carries them, so they come back from a backup and not from a replay.
CREATE TABLE payload (
    sha256 bytea NOT NULL PRIMARY KEY,
    bytes  bytea NOT NULL
);
