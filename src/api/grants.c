/*-------------------------------------------------------------------------
 *
 * grants.c
 *	  migrate.grant_to() and migrate.revoke_from()
 *
 * Three sets of rights, each with what the ones below it have.  They are plain
 * privileges on functions and tables, given by GRANT, so that \df+, pg_dump and
 * an auditor see them; no role is created for them.
 *
 * IDENTIFICATION
 *	  src/api/grants.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/args.h"
#include "base/extension.h"
#include "base/query.h"

PG_FUNCTION_INFO_V1(pgmigrate_grant_to);
PG_FUNCTION_INFO_V1(pgmigrate_revoke_from);

typedef enum RightsLevel
{
	RIGHTS_MONITOR,
	RIGHTS_OPERATOR,
	RIGHTS_ADMIN
} RightsLevel;

static const char *const level_names[] = {
	[RIGHTS_MONITOR] = "monitor",
	[RIGHTS_OPERATOR] = "operator",
	[RIGHTS_ADMIN] = "admin",
};

typedef struct FunctionLevel
{
	const char *function;
	RightsLevel level;
} FunctionLevel;

static const FunctionLevel function_levels[] = {
	{"next_window", RIGHTS_MONITOR},
	{"plan", RIGHTS_MONITOR},
	{"status", RIGHTS_MONITOR},
	{"steps", RIGHTS_MONITOR},
	{"wait", RIGHTS_MONITOR},
	{"alter_backfill", RIGHTS_OPERATOR},
	{"apply", RIGHTS_OPERATOR},
	{"apply_all", RIGHTS_OPERATOR},
	{"backfill", RIGHTS_OPERATOR},
	{"backfill_batch", RIGHTS_OPERATOR},
	{"cancel", RIGHTS_OPERATOR},
	{"finish", RIGHTS_OPERATOR},
	{"pause", RIGHTS_OPERATOR},
	{"resume", RIGHTS_OPERATOR},
	{"retry", RIGHTS_OPERATOR},
	{"rollback", RIGHTS_OPERATOR},
	{"rollback_to", RIGHTS_OPERATOR},
	{"swap_column", RIGHTS_OPERATOR},
	{"sync_begin", RIGHTS_OPERATOR},
	{"sync_end", RIGHTS_OPERATOR},
	{"verify", RIGHTS_OPERATOR},
	{"abandon", RIGHTS_ADMIN},
	{"baseline", RIGHTS_ADMIN},
	{"compensate", RIGHTS_ADMIN},
	{"contract", RIGHTS_ADMIN},
	{"drop_version", RIGHTS_ADMIN},
	{"estimate", RIGHTS_ADMIN},
	{"expand_column", RIGHTS_ADMIN},
	{"expand_rename", RIGHTS_ADMIN},
	{"expand_table", RIGHTS_ADMIN},
	{"expand_type", RIGHTS_ADMIN},
	{"expand_version", RIGHTS_ADMIN},
	{"load", RIGHTS_ADMIN},
	{"register", RIGHTS_ADMIN},
	{"resolve", RIGHTS_ADMIN},
	{"unregister", RIGHTS_ADMIN},
	{"verify_expansion", RIGHTS_ADMIN},
};

static RightsLevel
parse_level(const char *name)
{
	for (int i = 0; i < lengthof(level_names); i++)
	{
		if (strcmp(name, level_names[i]) == 0)
			return (RightsLevel) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized set of rights \"%s\"", name),
			 errhint("The sets are \"admin\", \"operator\" and \"monitor\".")));
}

/*
 * The role, quoted, after a check that the caller may give and take rights.
 */
static const char *
get_role(FunctionCallInfo fcinfo)
{
	Oid			role;

	pgm_args_not_null(fcinfo, 0, "role");
	role = PG_GETARG_OID(0);
	if (!has_privs_of_role(GetUserId(), pgm_extension_owner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of extension \"pgmigrate\" to give or take rights on it")));
	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("rights can be given to a role only")));
	return quote_identifier(GetUserNameFromId(role, false));
}

/*
 * Signatures of the functions of a level and those below it, with commas.
 */
static char *
functions_of(RightsLevel level)
{
	static PgmQuery query = {
		"SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p"
		" WHERE p.pronamespace = 'migrate'::regnamespace AND p.proname = ANY ($1::name[])",
		SPI_OK_SELECT, 1, {TEXTARRAYOID}
	};
	Datum		names[lengthof(function_levels)];
	Datum		values[1];
	int			n = 0;

	for (int i = 0; i < lengthof(function_levels); i++)
	{
		if (function_levels[i].level <= level)
			names[n++] = CStringGetTextDatum(function_levels[i].function);
	}
	values[0] = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	pgm_query_run(&query, values, NULL);
	return pgm_query_text(0, 1);
}

static void
execute_command(const char *command)
{
	const bool	read_only = false;
	const long	all_rows = 0;

	if (SPI_execute(command, read_only, all_rows) != SPI_OK_UTILITY)
		elog(ERROR, "unexpected result of command: %s", command);
}

/*
 * migrate.grant_to(role regrole, rights text)
 */
Datum
pgmigrate_grant_to(PG_FUNCTION_ARGS)
{
	PgmQueryScope scope;
	const char *role;
	RightsLevel level;

	pgm_args_check_count(fcinfo, 2);
	PreventCommandIfReadOnly("migrate.grant_to()");
	role = get_role(fcinfo);
	level = parse_level(pgm_args_text(fcinfo, 1, "rights"));

	(void) pgm_extension_lock();
	pgm_query_begin(&scope);
	execute_command(psprintf("GRANT EXECUTE ON ROUTINE %s TO %s", functions_of(level), role));
	execute_command(psprintf("GRANT SELECT ON ALL TABLES IN SCHEMA migrate TO %s", role));
	pgm_query_end(&scope);
	PG_RETURN_VOID();
}

/*
 * migrate.revoke_from(role regrole)
 */
Datum
pgmigrate_revoke_from(PG_FUNCTION_ARGS)
{
	PgmQueryScope scope;
	const char *role;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.revoke_from()");
	role = get_role(fcinfo);

	(void) pgm_extension_lock();
	pgm_query_begin(&scope);
	execute_command(psprintf("REVOKE ALL ON ALL ROUTINES IN SCHEMA migrate FROM %s", role));
	execute_command(psprintf("REVOKE ALL ON ALL TABLES IN SCHEMA migrate FROM %s", role));
	pgm_query_end(&scope);
	PG_RETURN_VOID();
}
