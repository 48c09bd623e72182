\set id random(1, 2000000)
\set more random(1, 100)
UPDATE customer SET visits = visits + 1 WHERE id = :id;
SELECT first_name, last_name, visits FROM customer WHERE id = :id;
INSERT INTO customer (first_name, last_name) SELECT 'New', 'Customer' WHERE :more = 1;
