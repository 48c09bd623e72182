\set read random(1, 1000000)
\set write random(1, 1000000)
\set item random(1, 2000000)
SELECT first_name, last_name, age FROM users WHERE id = :read;
UPDATE users SET visits = visits + 1 WHERE id = :write;
UPDATE orders SET amount = amount + 1 WHERE id = :item;
