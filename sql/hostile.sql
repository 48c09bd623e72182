--
-- Functions, operators, types and tables that somebody put in the way of the
-- names that pgmigrate uses: they are never run, in nobody's call.
--
CREATE EXTENSION pgmigrate;
CREATE ROLE regress_migrate_super SUPERUSER;
CREATE ROLE regress_migrate_mallory;
CREATE SCHEMA evil;
GRANT ALL ON SCHEMA evil TO PUBLIC;
GRANT ALL ON SCHEMA public TO regress_migrate_mallory;
CREATE SEQUENCE evil.loot;
GRANT ALL ON evil.loot TO PUBLIC;

SET ROLE regress_migrate_mallory;
-- A sequence keeps the traces of what was rolled back.
CREATE FUNCTION evil.trap(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_catalog.nextval('evil.loot');
	RAISE LOG 'trapped: % as %', what, current_user;
END $$;
-- an operator = < <> || - * etc. for every type that pgmigrate's tables have
DO $do$
DECLARE
	s text;
	op text;
	t text;
BEGIN
	FOREACH s IN ARRAY '{evil,public}'::text[] LOOP
		FOREACH t IN ARRAY '{text,name,int4,int8,bool,oid,timestamptz,float8,bytea,"text[]","name[]","oid[]",regrole,regnamespace,inet,char}'::text[] LOOP
			EXECUTE pg_catalog.format('CREATE FUNCTION %s.op(%s, %2$s) RETURNS boolean LANGUAGE plpgsql AS
				$$ BEGIN PERFORM evil.trap(''operator on %2$s''); RETURN true; END $$', s, t);
			FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,||,-,+,*,~}'::text[] LOOP
				EXECUTE pg_catalog.format('CREATE OPERATOR %s.%s (LEFTARG = %s, RIGHTARG = %3$s, FUNCTION = %1$s.op)', s, op, t);
			END LOOP;
		END LOOP;
		-- functions that it calls, or may be thought to
		FOREACH t IN ARRAY pg_catalog.string_to_array('pg_has_role(text,text)|pg_has_role(oid,text)|has_table_privilege(text,text)|'
			'lower(text)|length(text)|quote_ident(text)|quote_literal(text)|format(text)|now()|clock_timestamp()|'
			'statement_timestamp()|inet_client_addr()|pg_backend_pid()|count(int)|current_setting(text)|'
			'set_config(text,text,boolean)|round(numeric,int)|regexp_replace(text,text,text,text)|"left"(text,int)|'
			'sha256(bytea)|encode(bytea,text)|convert_from(bytea,text)|date_part(text,interval)|nextval(regclass)', '|') LOOP
			EXECUTE pg_catalog.format('CREATE FUNCTION %s.%s RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.trap(%L); RETURN NULL; END $$',
				s, t, t);
		END LOOP;
		EXECUTE pg_catalog.format('CREATE TABLE %s.migration (name text, state text)', s);
		EXECUTE pg_catalog.format('CREATE TABLE %s.run (id int)', s);
		EXECUTE pg_catalog.format('CREATE TABLE %s.pg_extension (oid oid, extname name)', s);
		EXECUTE pg_catalog.format('CREATE TABLE %s.pg_proc (oid oid)', s);
		EXECUTE pg_catalog.format('CREATE TABLE %s.pg_stat_activity (pid int)', s);
		EXECUTE pg_catalog.format('CREATE DOMAIN %s.text AS pg_catalog.text CHECK (evil.trap(''domain'') IS NOT NULL)', s);
		EXECUTE pg_catalog.format('CREATE DOMAIN %s.regprocedure AS pg_catalog.regprocedure', s);
	END LOOP;
END
$do$;
RESET ROLE;
SET SESSION AUTHORIZATION regress_migrate_super;
-- the trap works
SET search_path = evil, public, pg_catalog;
SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text AS trapped, pg_catalog.pg_typeof(now());
SELECT is_called FROM evil.loot;
SELECT pg_catalog.setval('evil.loot', 1, false);

-- every function and view, with it first in the path
\set up '-- migrate:requires 1\n-- migrate:up\nCREATE TABLE public.made (a int);\nALTER TABLE public.made ADD b int;\n-- migrate:down\nDROP TABLE public.made;\n-- migrate:check\nSELECT 1;\n-- migrate:verify\nSELECT 1;\n'
SELECT migrate.register('1', 'SELECT 1', 'what', 'where');
SELECT migrate.register('2', pg_catalog.convert_to(:'up', 'UTF8'), 'what', 'where');
SELECT migrate.register('3', :'up');
SELECT migrate.register('3', 'SELECT 1');
SELECT migrate.plan('2');
SELECT migrate.apply('2');
SELECT migrate.apply_all();
SELECT migrate.plan('2');
SELECT migrate.verify('2');
SELECT migrate.verify();
SELECT name, state, waits_for, problem FROM migrate.status();
SELECT migrate.rollback_to('1');
SELECT migrate.resolve('3', 'rolled_back', 'by hand');
SELECT migrate.rollback('2');
SELECT migrate.apply('2');
SELECT migrate.rollback('2');
SELECT migrate.baseline('3');
SELECT migrate.compensate('ticket', 'SELECT 1');
SELECT migrate.resolve('3', 'rolled_back', 'by hand');
SELECT migrate.unregister('3');
SELECT migrate.grant_to('pg_monitor', 'operator');
SELECT migrate.revoke_from('pg_monitor');
SELECT migration, action, note FROM migrate.history ORDER BY id;
SELECT migration, action, sql FROM migrate.history_statement ORDER BY run_id, line;
SELECT migrate.load('/nonexistent');
-- the same as somebody who does not see all
SET ROLE regress_migrate_mallory;
SELECT migration FROM migrate.history;
SELECT name FROM migrate.status();
RESET ROLE;
SELECT last_value, is_called FROM evil.loot;

-- a schema of that name cannot be had before the extension
SET search_path = pg_catalog;
SET client_min_messages = warning;
DROP EXTENSION pgmigrate;
CREATE SCHEMA migrate AUTHORIZATION regress_migrate_mallory;
\set SHOW_CONTEXT never
CREATE EXTENSION pgmigrate;
DROP SCHEMA migrate;
DROP OWNED BY regress_migrate_mallory CASCADE;
DROP SCHEMA evil CASCADE;
RESET SESSION AUTHORIZATION;
REVOKE ALL ON SCHEMA public FROM regress_migrate_mallory;
DROP ROLE regress_migrate_mallory, regress_migrate_super;
