-- The main job, end to end, from psql alone.
CREATE EXTENSION pgmigrate;

-- 1. Register: a migration is plain SQL, with comments that say what is what.
SELECT migrate.register('2026-01-10-wallet-init', $script$
CREATE TABLE wallet (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner   text NOT NULL,
    balance numeric NOT NULL DEFAULT 0 CHECK (balance >= 0)
);
INSERT INTO wallet (owner, balance) VALUES ('ann', 100), ('bob', 50);
$script$);

SELECT migrate.register('2026-01-25-wallet-add-holds', $script$
-- migrate:description Money that is promised, not yet paid
-- migrate:requires 2026-01-10-wallet-init
-- migrate:up
CREATE TABLE hold (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wallet bigint NOT NULL REFERENCES wallet,
    amount numeric NOT NULL CHECK (amount > 0)
);
ALTER TABLE wallet ADD COLUMN held numeric NOT NULL DEFAULT 0;
-- migrate:verify
SELECT count(*) = 0 FROM wallet WHERE held > balance;
-- migrate:down
ALTER TABLE wallet DROP COLUMN held;
DROP TABLE hold;
$script$);

-- 2. Plan: what each statement would do, and which lock it takes.
SELECT statement, line, kind, relation, lock, rewrites, scans
FROM migrate.plan('2026-01-25-wallet-add-holds');

-- 3. Apply. It is atomic with the transaction it is called in.
BEGIN;
SELECT migrate.apply('2026-01-25-wallet-add-holds');
SELECT * FROM wallet;
ROLLBACK;
SELECT name, state, waits_for FROM migrate.status();
SELECT * FROM migrate.apply_all();

-- 4. Look.
SELECT name, state, applied_by, problem FROM migrate.status();
SELECT * FROM migrate.verify();
SELECT * FROM wallet;

-- 5. Roll one back.
SELECT migrate.rollback('2026-01-25-wallet-add-holds');
SELECT * FROM wallet;
SELECT name, state FROM migrate.status();
SELECT name, action, outcome, session_user_name FROM migrate.history;
