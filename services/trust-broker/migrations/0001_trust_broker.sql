CREATE TABLE trust (
    provider_id   uuid             NOT NULL PRIMARY KEY,
    owner_id      uuid,
    registered_at timestamptz,
    is_internal   boolean          NOT NULL,
    passed        text[]           NOT NULL,
    contracts     bigint           NOT NULL,
    successful    bigint           NOT NULL,
    failed        bigint           NOT NULL,
    disputed      bigint           NOT NULL,
    disputes_won  bigint           NOT NULL,
    disputes_lost bigint           NOT NULL,
    excluded      bigint           NOT NULL,
    score         double precision NOT NULL CHECK (score >= 0 AND score <= 1),
    tier          text             NOT NULL,
    version       bigint           NOT NULL,
    update_time   timestamptz      NOT NULL
);

-- How each contract ended; a contract has one outcome.
CREATE TABLE outcome (
    provider_id  uuid           NOT NULL,
    contract_id  uuid           NOT NULL,
    consumer_id  uuid           NOT NULL,
    kind         text           NOT NULL,
    currency     text           NOT NULL,
    price        numeric(18, 6) NOT NULL,
    completed_at timestamptz    NOT NULL,
    is_counted   boolean        NOT NULL,
    -- It is among those that the score is made of. What has left them never comes back.
    in_window    boolean        NOT NULL,
    PRIMARY KEY (provider_id, contract_id)
);
CREATE UNIQUE INDEX outcome_by_contract ON outcome (contract_id);
CREATE INDEX outcome_by_time ON outcome (provider_id, completed_at DESC, contract_id DESC);
CREATE INDEX outcome_in_window ON outcome (provider_id) WHERE in_window;

-- One row per provider, only to be locked: two first events of one provider wait for each other.
CREATE TABLE subject (
    provider_id uuid NOT NULL PRIMARY KEY
);
