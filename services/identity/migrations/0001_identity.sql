CREATE TABLE tenant (
    tenant_id     uuid        NOT NULL PRIMARY KEY,
    display_name  text        NOT NULL,
    tenant_type   text        NOT NULL CHECK (tenant_type IN ('REQUESTOR', 'PROVIDER', 'BOTH')),
    status        text        NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED', 'TERMINATED')),
    reason        text        NOT NULL,
    contact_email text        NOT NULL,
    internal      boolean     NOT NULL,
    version       bigint      NOT NULL,
    create_time   timestamptz NOT NULL,
    update_time   timestamptz NOT NULL
);

-- No foreign key to the tenant: order is promised within one aggregate only, so a replay may meet the key first.
CREATE TABLE api_key (
    tenant_id    uuid        NOT NULL,
    key_id       uuid        NOT NULL,
    display_name text        NOT NULL,
    prefix       text        NOT NULL,
    scopes       text[]      NOT NULL,
    provider_id  uuid,
    version      bigint      NOT NULL,
    create_time  timestamptz NOT NULL,
    expire_time  timestamptz,
    revoke_time  timestamptz,
    PRIMARY KEY (tenant_id, key_id)
);
CREATE UNIQUE INDEX api_key_by_id ON api_key (key_id);

-- What no event may carry: the keyed hash of each secret. It comes back from a backup, not from a replay.
CREATE TABLE api_key_secret (
    secret_hash bytea NOT NULL PRIMARY KEY,
    key_id      uuid  NOT NULL UNIQUE
);
