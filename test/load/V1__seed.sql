-- migrate:seed
INSERT INTO lo.t VALUES (1, 'seed');
