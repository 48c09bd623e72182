-- The main job, end to end, from psql alone.
CREATE EXTENSION pgmigrate;

-- 1. Register. A migration is plain SQL; comments say what its parts are.
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

SELECT migrate.register('2026-02-03-wallet-number', $script$
-- migrate:requires 2026-01-25-wallet-add-holds
-- migrate:up
ALTER TABLE wallet ADD COLUMN number uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX wallet_number ON wallet (number);
-- migrate:down
ALTER TABLE wallet DROP COLUMN number;
$script$);

-- 2. Apply one. It is atomic with the transaction it is called in.
SELECT migrate.apply('2026-01-10-wallet-init');
BEGIN;
SELECT migrate.apply('2026-01-25-wallet-add-holds');
SELECT * FROM wallet;
ROLLBACK;
SELECT * FROM wallet;
SELECT name, state, waits_for FROM migrate.status();

-- 3. Plan. Nothing runs: it shows the locks, and what rewrites or scans a table.
SELECT statement, line, kind, relation, lock, rewrites, scans
FROM migrate.plan('2026-02-03-wallet-number');

-- 4. Apply all that is pending, in order, and look.
SELECT * FROM migrate.apply_all();
SELECT * FROM migrate.verify();
SELECT name, state, applied_by, problem FROM migrate.status();

-- 5. Roll the last one back.
SELECT migrate.rollback('2026-02-03-wallet-number');
SELECT * FROM wallet;

-- 6. Every run is on record.
SELECT migration, action, outcome, session_username AS by, round(duration_ms::numeric, 1) AS ms, rows
FROM migrate.history ORDER BY id;
