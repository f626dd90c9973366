CREATE TABLE provider (
    tenant_id    uuid        NOT NULL,
    provider_id  uuid        NOT NULL,
    display_name text        NOT NULL,
    description  text        NOT NULL,
    endpoint     text        NOT NULL,
    capabilities text[]      NOT NULL,
    status       text        NOT NULL CHECK (status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED')),
    reason       text        NOT NULL,
    internal     boolean     NOT NULL,
    version      bigint      NOT NULL,
    create_time  timestamptz NOT NULL,
    update_time  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, provider_id)
);
CREATE UNIQUE INDEX provider_by_id ON provider (provider_id);
CREATE INDEX provider_by_capability ON provider USING gin (capabilities);

-- One row per tenant, only to be locked: so many providers are counted and one more is added without a gap between.
CREATE TABLE seller (
    tenant_id uuid NOT NULL PRIMARY KEY
);

-- No foreign key to the provider: order is promised within one aggregate only, so a replay may meet the agent first.
CREATE TABLE agent (
    tenant_id    uuid        NOT NULL,
    provider_id  uuid        NOT NULL,
    agent_id     uuid        NOT NULL,
    display_name text        NOT NULL,
    public_key   bytea       NOT NULL CHECK (length(public_key) = 32),
    version      bigint      NOT NULL,
    create_time  timestamptz NOT NULL,
    retire_time  timestamptz,
    PRIMARY KEY (tenant_id, provider_id, agent_id)
);
CREATE UNIQUE INDEX agent_by_id ON agent (agent_id);
-- One key is one agent, of all providers, and for ever.
CREATE UNIQUE INDEX agent_by_key ON agent (public_key);
CREATE INDEX agent_by_provider ON agent (provider_id, agent_id);

CREATE TABLE subscription (
    tenant_id       uuid        NOT NULL,
    provider_id     uuid        NOT NULL,
    subscription_id uuid        NOT NULL,
    categories      text[]      NOT NULL,
    -- The first segment of each category: what a matching begins with.
    heads           text[]      NOT NULL,
    currency        text,
    min_budget      numeric(18, 6),
    min_latency_us  bigint,
    regions         text[]      NOT NULL,
    version         bigint      NOT NULL,
    create_time     timestamptz NOT NULL,
    cancel_time     timestamptz,
    PRIMARY KEY (tenant_id, provider_id, subscription_id)
);
CREATE UNIQUE INDEX subscription_by_id ON subscription (subscription_id);
CREATE INDEX subscription_by_provider ON subscription (provider_id, subscription_id);
CREATE INDEX subscription_by_head ON subscription USING gin (heads) WHERE cancel_time IS NULL;

-- Work that was offered, as its providers are shown it.
CREATE TABLE opportunity (
    work_id         uuid        NOT NULL PRIMARY KEY,
    shown           bytea       NOT NULL,
    providers       uuid[]      NOT NULL,
    tenants         uuid[]      NOT NULL,
    close_time      timestamptz NOT NULL,
    closed_reason   text,
    version         bigint      NOT NULL,
    create_time     timestamptz NOT NULL,
    update_time     timestamptz NOT NULL
);

-- What is offered to each provider and still open.
CREATE TABLE offer (
    provider_id uuid NOT NULL,
    work_id     uuid NOT NULL,
    PRIMARY KEY (provider_id, work_id)
);
CREATE INDEX offer_by_work ON offer (work_id);
