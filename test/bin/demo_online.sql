-- 9. A script that would stop the application is registered as it is written ...
SELECT migrate.register('2026-03-01-users-full-name', $script$
ALTER TABLE users ADD COLUMN full_name text;
UPDATE users SET full_name = first_name || ' ' || last_name;
ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;
CREATE INDEX users_full_name_idx ON users (full_name);
ALTER TABLE orders ADD CONSTRAINT orders_user_fk FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE users ALTER COLUMN age TYPE int USING age::int;
$script$);

-- ... and so a worker carries it out in steps that hold nobody up. These are the
-- ones that can be told by now:
SELECT statement, step, kind, lock, hold, why
FROM migrate.steps('2026-03-01-users-full-name');
SELECT migrate.apply('2026-03-01-users-full-name');
CALL migrate.wait('2026-03-01-users-full-name');

SELECT statement, kind, relation, lock, hold, round(duration_ms) AS ms, tries
FROM migrate.history_step ORDER BY run_id, number;
SELECT count(*) AS users, count(full_name) AS filled, pg_typeof(min(age)) AS age FROM users;
