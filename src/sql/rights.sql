-- PUBLIC may look at what is its own, and execute nothing else.
REVOKE ALL ON ALL ROUTINES IN SCHEMA migrate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION migrate.status() TO PUBLIC;
