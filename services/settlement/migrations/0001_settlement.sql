-- The books. An account has two running totals and the number of its lines; accounts that every trade touches (cash,
-- fee revenue, rail cost) have no row: their balance is the sum of their lines, and nobody locks them.
CREATE TABLE account (
    code         integer       NOT NULL,
    owner        uuid          NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    debit_total  numeric(24,6) NOT NULL CHECK (debit_total >= 0),
    credit_total numeric(24,6) NOT NULL CHECK (credit_total >= 0),
    lines        bigint        NOT NULL,
    PRIMARY KEY (code, owner, currency)
);
CREATE INDEX account_by_owner ON account (owner);

CREATE TABLE journal (
    journal_id     uuid        NOT NULL PRIMARY KEY,
    kind           text        NOT NULL,
    business_key   text        NOT NULL,
    currency       text        NOT NULL,
    contract_id    uuid,
    deposit_id     uuid,
    post_time      timestamptz NOT NULL,
    effective_time timestamptz NOT NULL
);
-- No key is ever posted twice.
CREATE UNIQUE INDEX journal_by_key ON journal (business_key);

-- The owner of an account of a rail is its name; all others are named by an id.
CREATE TABLE journal_line (
    journal_id    uuid          NOT NULL,
    line          integer       NOT NULL,
    code          integer       NOT NULL,
    owner         uuid,
    rail          text          NOT NULL,
    currency      text COLLATE "C" NOT NULL,
    side          text          NOT NULL CHECK (side IN ('D', 'C')),
    amount        numeric(18,6) NOT NULL CHECK (amount > 0),
    reason        text          NOT NULL,
    seq           bigint,
    balance_after numeric(24,6),
    PRIMARY KEY (journal_id, line)
);
-- The entries of an account are 1, 2, 3 … without a gap; two postings that did not see each other meet here.
CREATE UNIQUE INDEX journal_line_by_account ON journal_line (code, owner, currency, seq) WHERE seq IS NOT NULL;
-- The lines of the accounts without a row, for their sums.
CREATE INDEX journal_line_unlocked ON journal_line (code, currency) INCLUDE (side, amount) WHERE seq IS NULL;

-- What the tenants read of the journals.
CREATE TABLE statement_line (
    tenant_id     uuid          NOT NULL,
    post_time     timestamptz   NOT NULL,
    seq           bigint        NOT NULL,
    journal_id    uuid          NOT NULL,
    line          integer       NOT NULL,
    entry_type    text          NOT NULL,
    side          text          NOT NULL,
    code          integer       NOT NULL,
    currency      text          NOT NULL,
    amount        numeric(18,6) NOT NULL,
    balance_after numeric(24,6),
    contract_id   uuid,
    deposit_id    uuid,
    PRIMARY KEY (tenant_id, post_time, seq, journal_id, line)
);

CREATE TABLE hold (
    contract_id           uuid        NOT NULL PRIMARY KEY,
    version               bigint      NOT NULL,
    update_time           timestamptz NOT NULL,
    status                text        NOT NULL CHECK (status IN ('HELD', 'CAPTURED', 'RELEASED')),
    -- Something is still to be done with its money.
    is_open               boolean     NOT NULL,
    -- The award; absent for a hold that was refused beforehand.
    consumer_id           uuid,
    provider_id           uuid,
    payee_id              uuid,
    currency              text COLLATE "C",
    base                  numeric(18,6),
    escrow                numeric(18,6),
    tier                  text,
    dispute_window_us     bigint,
    deadline              timestamptz,
    policy_version        bigint,
    fee_bps               integer,
    payout_hold_us        bigint,
    hold_journal          uuid,
    place_time            timestamptz,
    -- What is to come, or came, of it without a settlement.
    not_before            timestamptz,
    overdue_time          timestamptz,
    release_journal       uuid,
    release_time          timestamptz,
    -- The settlement.
    gross                 numeric(18,6),
    fee                   numeric(18,6),
    payout                numeric(18,6),
    residual              numeric(18,6),
    residual_release_at   timestamptz,
    payout_release_at     timestamptz,
    settle_journal        uuid,
    settle_time           timestamptz,
    residual_journal      uuid,
    residual_release_time timestamptz,
    payout_journal        uuid,
    payout_release_time   timestamptz
);
CREATE INDEX hold_by_consumer ON hold (consumer_id) WHERE is_open;
CREATE INDEX hold_by_payee ON hold (payee_id) WHERE is_open;

CREATE TABLE deposit (
    deposit_id     uuid          NOT NULL PRIMARY KEY,
    tenant_id      uuid          NOT NULL,
    version        bigint        NOT NULL,
    rail           text          NOT NULL,
    currency       text          NOT NULL,
    amount         numeric(18,6) NOT NULL,
    status         text          NOT NULL CHECK (status IN ('PENDING', 'CONFIRMED', 'REJECTED')),
    rail_reference text,
    event_number   bigint,
    reason         text,
    journal_id     uuid,
    request_time   timestamptz   NOT NULL,
    update_time    timestamptz   NOT NULL
);
CREATE INDEX deposit_by_tenant ON deposit (tenant_id, deposit_id);
-- A payment of a rail decides one deposit.
CREATE UNIQUE INDEX deposit_by_payment ON deposit (rail, rail_reference) WHERE rail_reference IS NOT NULL;
