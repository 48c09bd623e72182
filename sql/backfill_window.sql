--
-- next_window(): when an off-peak window is open, across midnight, weeks and
-- changes of the clock; and what is no window.
--
CREATE EXTENSION pgmigrate;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
-- One row for each time: open, or when it opens.
CREATE FUNCTION look(w text, VARIADIC times text[]) RETURNS TABLE (at text, day text, next text) LANGUAGE sql AS $$
	SELECT to_char(t, 'MM-DD HH24:MI TZH'), to_char(t, 'Dy'),
		CASE WHEN n = t THEN 'open' ELSE to_char(n, 'MM-DD HH24:MI TZH') END
	FROM unnest(times) WITH ORDINALITY u(text, o),
		LATERAL (SELECT text::timestamptz AS t) a, LATERAL (SELECT migrate.next_window(w, t) AS n) b
	ORDER BY o
$$;

-- within a day: the end is not part of it
SELECT * FROM look('09:00-17:30', '2026-06-01 00:00', '2026-06-01 08:59', '2026-06-01 09:00', '2026-06-01 17:29', '2026-06-01 17:30');
SELECT migrate.next_window('09:00-17:30', '2026-06-01 17:29:59.999999'), migrate.next_window('09:00-17:30', '2026-06-01 08:59:59.999999');
-- past midnight
SELECT * FROM look('22:00-06:00', '2026-06-01 05:59', '2026-06-01 06:00', '2026-06-01 21:59', '2026-06-01 22:00', '2026-06-02 00:00', '2026-12-31 23:00', '2027-01-01 07:00');
-- the day is the one on which it opens: 2026-06-05 is a Friday
SELECT * FROM look('22:00-06:00 fri', '2026-06-05 05:00', '2026-06-05 22:00', '2026-06-06 05:59', '2026-06-06 06:00', '2026-06-06 22:00');
SELECT * FROM look('22:00-06:00 mon-fri', '2026-06-05 23:00', '2026-06-06 06:00', '2026-06-07 23:00', '2026-06-08 05:00', '2026-06-08 22:00');
-- ranges that wrap, lists, full names, any case
SELECT * FROM look('01:00-02:00 fri-mon', '2026-06-04 01:30', '2026-06-05 01:30', '2026-06-06 01:30', '2026-06-07 01:30', '2026-06-08 01:30', '2026-06-09 01:30');
SELECT * FROM look('1:00-02:00  Tuesday , THU - Fri', '2026-06-01 01:30', '2026-06-02 01:30', '2026-06-03 01:30', '2026-06-04 01:30', '2026-06-05 01:30', '2026-06-06 01:30');
SELECT * FROM look('01:00-02:00 wed-wed', '2026-06-03 01:30', '2026-06-03 02:00');
-- whole days, and all of the time
SELECT * FROM look('00:00-24:00 sat,sun', '2026-06-05 23:59', '2026-06-06 00:00', '2026-06-07 00:00', '2026-06-07 23:59', '2026-06-08 00:00');
SELECT * FROM look('12:00-12:00 sat', '2026-06-06 11:59', '2026-06-06 12:00', '2026-06-07 11:59', '2026-06-07 12:00');
SELECT count(*) FILTER (WHERE migrate.next_window('00:00-00:00', t) = t) AS open, count(*) AS times
FROM generate_series(timestamptz '2026-01-01', '2026-12-31', '7 hours 13 minutes') t;
-- several rules
SELECT * FROM look('22:00-06:00 mon-fri; 00:00-24:00 sat,sun;', '2026-06-05 12:00', '2026-06-06 07:00', '2026-06-07 23:59', '2026-06-08 00:00', '2026-06-08 23:00');
SELECT * FROM look('22:00-06:00 Europe/Berlin; 22:00-06:00 America/New_York', '2026-06-05 03:59', '2026-06-05 04:00', '2026-06-05 10:00');

-- the session's time zone is the default, a named one is not touched by it
SET timezone = 'Europe/Berlin';
SELECT * FROM look('22:00-06:00', '2026-01-10 21:00', '2026-07-10 05:00');
SELECT * FROM look('22:00-06:00 Asia/Kolkata sat', '2026-01-10 17:29', '2026-01-10 17:30', '2026-01-11 01:29', '2026-01-11 01:30');
SELECT * FROM look('22:00-06:00 utc', '2026-01-10 22:30', '2026-07-10 23:30');
SELECT * FROM look('22:00-06:00 sat europe/BERLIN', '2026-01-10 21:00');
-- the clock is put forward on 29 March 2026, from 02:00 to 03:00
SELECT * FROM look('22:00-06:00', '2026-03-28 21:59', '2026-03-28 22:00', '2026-03-29 01:59', '2026-03-29 03:00', '2026-03-29 05:59', '2026-03-29 06:00');
SELECT * FROM look('22:00-02:30', '2026-03-29 01:59', '2026-03-29 03:00', '2026-03-29 03:29', '2026-03-29 03:30');
SELECT * FROM look('02:30-05:00', '2026-03-29 01:59', '2026-03-29 03:00', '2026-03-29 03:30', '2026-03-29 05:00', '2026-03-30 02:30');
SELECT * FROM look('02:15-02:45', '2026-03-29 01:59', '2026-03-29 03:14', '2026-03-29 03:15', '2026-03-29 03:44', '2026-03-29 03:45');
-- (it would end before it begins)
SELECT * FROM look('02:30-03:15 sun', '2026-03-29 01:59', '2026-03-29 03:00', '2026-03-29 03:30', '2026-03-29 04:14', '2026-03-29 04:15');
-- it is put back on 25 October, from 03:00 to 02:00
SELECT * FROM look('22:00-06:00', '2026-10-24 22:00', '2026-10-25 02:30+02', '2026-10-25 02:30+01', '2026-10-25 05:59', '2026-10-25 06:00');
SELECT * FROM look('22:00-02:30', '2026-10-25 02:29+02', '2026-10-25 02:30+02', '2026-10-25 02:29+01', '2026-10-25 02:30+01');
SELECT * FROM look('02:30-05:00', '2026-10-25 02:00+02', '2026-10-25 02:30+02', '2026-10-25 02:30+01', '2026-10-25 05:00');
SELECT * FROM look('02:15-02:45', '2026-10-25 02:15+02', '2026-10-25 02:14+01', '2026-10-25 02:15+01', '2026-10-25 02:45+01');
-- the times a window has in a year, by the hours it is open
SELECT w, sum((migrate.next_window(w, t) = t)::int) / 4.0 AS hours
FROM unnest(ARRAY['22:00-06:00', '02:15-02:45', '02:30-03:15', '00:00-24:00', '22:00-02:30 sat', '01:00-04:00 sun']) w,
	generate_series(timestamptz '2026-01-01', '2026-12-31 23:59', '15 minutes') t GROUP BY w ORDER BY w COLLATE "C";
-- it opens at the same time on the wall all year round, but for the gap
SELECT w, to_char(n, 'HH24:MI') AS opens, count(*)
FROM unnest(ARRAY['02:30-03:15', '22:00-06:00']) w, generate_series(timestamptz '2026-01-01 12:00', '2026-12-31', '1 day') t,
	migrate.next_window(w, t) n GROUP BY 1, 2 ORDER BY 1, 2;
-- a day without a midnight, and an odd offset that changes by half an hour
SELECT * FROM look('00:00-01:00 America/Santiago', '2026-09-06 03:59+00', '2026-09-06 04:00+00', '2026-09-06 04:59+00', '2026-09-06 05:00+00');
SELECT * FROM look('02:15-04:00 Australia/Lord_Howe', '2026-10-03 15:29+00', '2026-10-03 15:45+00', '2026-10-03 17:00+00');
-- POSIX's notation, said on purpose
SELECT * FROM look('22:00-06:00 <UTC>+3', '2026-06-05 00:59+00', '2026-06-05 01:00+00', '2026-06-05 09:00+00');
SET timezone = 'UTC';

-- the ends of time
SELECT migrate.next_window('22:00-06:00', 'infinity'), migrate.next_window('22:00-06:00', '-infinity');
SELECT migrate.next_window('22:00-06:00', '294276-12-31 12:00'), migrate.next_window('22:00-06:00 mon', '294276-12-31 12:00'), migrate.next_window('22:00-06:00', '4713-01-02 12:00 BC');
-- now() is the default
SELECT migrate.next_window('00:00-24:00') = now() AS open;

-- what is no window
CREATE FUNCTION fails(w text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN migrate.next_window(w);
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
SELECT left(w, 30) AS w, fails(w) FROM unnest(ARRAY[' ; ', 'always', '22:00', '22:00-', '22:00 06:00', '22:00-;', '-06:00', 'mon-fri 22:00-06:00',
	'24:00-06:00', '22:60-06:00', '22:00-24:01', '25:00-26:00', '2200-0600', '22:0-06:00', '22:00:00-06:00', '022:00-06:00', '10pm-6am', '22.00-06.00', '99999999999999999999:00-01:00',
	'22:00-06:00Europe/Berlin', '22:00-06:00 Europe/Atlantis', '22:00-06:00 mno-fri', '22:00-06:00 mon-fry', '22:00-06:00 mon,,tue', '22:00-06:00 mon-', '22:00-06:00 mon,', '22:00-06:00 mon-tue-wed', '22:00-06:00 , mon', '22:00-06:00 mon;fri',
	'22:00-06:00 mo', '22:00-06:00 mond', '22:00-06:00 mon tue', '22:00-06:00 UTC Europe/Berlin', '22:00-06:00 UTC mon UTC', '22:00-06:00 UTC+3', '22:00-06:00 mon5', '22:00-06:00 CEST', '22:00-06:00 +02', '22:00-06:00 Europe/Berlin2', '22:00-06:00 ../UTC',
	'22:00-06:00; 07:00', '22:00-06:00 ' || repeat('x', 300), '22:00-06:00 %s', '%s']) WITH ORDINALITY u(w, o) ORDER BY o;
SELECT fails(repeat('é', 100)) LIKE '% "éééééééééééééééééééé..." is not a time of day.' AS clipped;
SELECT migrate.next_window('22:00-06:00 Europe/Berlni');
SELECT migrate.next_window(NULL);
SELECT migrate.next_window('');
SELECT migrate.next_window('22:00-06:00', NULL);

DROP FUNCTION look, fails;
DROP EXTENSION pgmigrate;
