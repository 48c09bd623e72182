-- PUBLIC may look at what is its own, and execute nothing else.
REVOKE ALL ON ALL ROUTINES IN SCHEMA migrate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION migrate.status() TO PUBLIC;
-- Who may make a partition of a table has to be able to give it the table's
-- trigger.  The trigger does nothing to a table that has no pairs.
GRANT EXECUTE ON FUNCTION migrate.sync() TO PUBLIC;
-- The same for who brings a table along from a dump.
GRANT EXECUTE ON FUNCTION migrate.carry() TO PUBLIC;
