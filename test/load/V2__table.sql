-- migrate:description makes the table
-- migrate:up
CREATE TABLE lo.t (id int, v text);
-- migrate:down
DROP TABLE lo.t;
