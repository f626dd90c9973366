-- What a contract is made of never changes and stands encoded in `terms`; the columns beside it are those that are
-- asked for.
CREATE TABLE contract (
    contract_id        uuid           NOT NULL PRIMARY KEY,
    work_id            uuid           NOT NULL,
    bid_id             uuid           NOT NULL,
    consumer_id        uuid           NOT NULL,
    provider_id        uuid           NOT NULL,
    provider_tenant_id uuid           NOT NULL,
    price              numeric(18, 6) NOT NULL,
    currency           text           NOT NULL,
    expire_time        timestamptz    NOT NULL,
    terms              bytea          NOT NULL,
    status             text           NOT NULL CHECK (status IN ('PROPOSED', 'AWARDED', 'VOID', 'EXECUTING',
                                          'VERIFICATION_PENDING', 'COMPLETED', 'SETTLED', 'FAILED', 'EXPIRED')),
    reason             text           NOT NULL,
    message            text           NOT NULL,
    sealed             boolean        NOT NULL,
    final              boolean        NOT NULL,
    tier               text           NOT NULL,
    progress           integer        NOT NULL CHECK (progress BETWEEN 0 AND 100),
    result             bytea,
    review_deadline    timestamptz,
    release_not_before timestamptz,
    version            bigint         NOT NULL,
    create_time        timestamptz    NOT NULL,
    award_time         timestamptz,
    start_time         timestamptz,
    deliver_time       timestamptz,
    end_time           timestamptz,
    settle_time        timestamptz,
    update_time        timestamptz    NOT NULL
);

-- One contract that is not void for each work: of two awards one wins.
CREATE UNIQUE INDEX contract_live_by_work ON contract (work_id) WHERE status <> 'VOID';
CREATE INDEX contract_by_work ON contract (work_id, contract_id);
CREATE INDEX contract_by_consumer ON contract (consumer_id, contract_id);
CREATE INDEX contract_by_provider_tenant ON contract (provider_tenant_id, contract_id);

-- Results that are kept here, once for each content. They come back from a backup, not from a replay.
CREATE TABLE result_blob (
    sha256      bytea       NOT NULL PRIMARY KEY,
    content     bytea       NOT NULL,
    create_time timestamptz NOT NULL
);

-- One row for each tenant and provider whose contracts are watched as a whole: its lock puts what is told in order.
CREATE TABLE watch_lock (
    resource_id uuid NOT NULL PRIMARY KEY
);
