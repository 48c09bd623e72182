/*-------------------------------------------------------------------------
 *
 * register.c
 *	  migrate.register() and migrate.unregister()
 *
 * A script is read and parsed to the last statement before anything is stored,
 * so that what is registered can be run, as far as its text tells.
 *
 * IDENTIFICATION
 *	  src/api/register.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "parser/parser.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

#include "api/api.h"
#include "api/run.h"
#include "base/args.h"
#include "base/compat.h"
#include "base/extension.h"
#include "base/rights.h"
#include "plan/plan.h"
#include "script/script.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(pgmigrate_register_text);
PG_FUNCTION_INFO_V1(pgmigrate_register_bytes);
PG_FUNCTION_INFO_V1(pgmigrate_unregister);

static bool
same_string(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

/*
 * Throw unless the current user may replace or forget somebody's migration.
 */
static void
check_ownership(const PgmMigration *migration)
{
	if (!pgm_rights_has_role(&migration->author))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for migration \"%s\"", migration->name),
				 errdetail("It was registered by role \"%s\".", migration->author.name),
				 errhint("Only members of that role can replace or unregister it.")));
}

/*
 * An applied migration whose author's code may not run as the current user can
 * be neither verified nor rolled back, which is for good if the author is gone.
 * Who may replace it makes it its own by registering it again.
 */
static void
adopt_migration(const PgmMigration *migration, const PgmAuthor *author)
{
	if (pgm_rights_trusts(&migration->author) ||
		!pgm_rights_has_role(&migration->author))
		return;
	pgm_store_set_author(migration->name, author);
	ereport(NOTICE,
			(errmsg("migration \"%s\" is now registered by role \"%s\"", migration->name, author->name)));
}

/*
 * What becomes of a migration that is there already.
 */
static const char *
replace_migration(const PgmMigration *old, PgmMigration *new, const PgmScript *script)
{
	bool		same_text = strcmp(old->script, new->script) == 0 &&
		old->conforming_strings == new->conforming_strings;

	if (old->state == PGM_STATE_APPLIED)
	{
		if (same_text ||
			pgm_script_same(pgm_api_read(old),
							script))
		{
			adopt_migration(old, &new->author);
			return "unchanged";
		}
		if (old->kind == PGM_KIND_VERSIONED || new->kind != old->kind)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("migration \"%s\" is already applied and cannot change", old->name),
					 errdetail("The new script differs from the applied one in more than comments and white space."),
					 errhint("Register the change as a migration of its own, or roll this one back first.")));
	}
	else if (same_text &&
			 old->author.oid == new->author.oid && old->author.cluster == new->author.cluster &&
			 (new->description == NULL || same_string(old->description, new->description)) &&
			 (new->source == NULL || same_string(old->source, new->source)))
		return "unchanged";

	check_ownership(old);
	pgm_run_check_none(old->name);
	if (new->description == NULL)
		new->description = old->description;
	if (new->source == NULL)
		new->source = old->source;
	pgm_store_replace_migration(new);
	return "replaced";
}

/*
 * Register a script, which is valid in the database's encoding.  Returns what
 * was done, in a word.
 */
const char *
pgm_register_script(const char *name, const char *text, const char *checksum,
					const char *description, const char *source)
{
	PgmMigration new = {0};
	PgmMigration *old;
	PgmScript  *script;
	const bool	for_update = true;

	pgm_name_check(name, "migration");
	script = pgm_script_read(name, text, standard_conforming_strings);
	for (int part = 0; part < PGM_PART_COUNT; part++)
		(void) pgm_script_statements(script, part);

	new.name = unconstify(char *, name);
	new.kind = script->kind;
	new.script = unconstify(char *, text);
	new.checksum = unconstify(char *, checksum);
	new.conforming_strings = script->conforming_strings;
	new.transactional = pgm_classify_script(script);
	new.requires = script->requires;
	new.conflicts = script->conflicts;
	new.description = description ? unconstify(char *, description) : script->description;
	new.source = unconstify(char *, source);
	new.author = pgm_rights_current_author();

	(void) pgm_extension_lock();
	old = pgm_store_fetch_migration(name, for_update);
	if (old != NULL)
		return replace_migration(old, &new, script);
	pgm_store_insert_migration(&new);
	return "registered";
}

/*
 * What both forms of migrate.register() do once they have the text.
 */
static Datum
register_with_options(FunctionCallInfo fcinfo, const char *name, const char *text,
					  const char *checksum)
{
	char	   *description = pgm_args_optional_text(fcinfo, 2, "description");
	char	   *source = pgm_args_optional_text(fcinfo, 3, "source");

	return CStringGetTextDatum(pgm_register_script(name, text, checksum, description, source));
}

/*
 * migrate.register(name text, script text, description text, source text)
 */
Datum
pgmigrate_register_text(PG_FUNCTION_ARGS)
{
	char	   *name;
	char	   *text;

	pgm_args_check_count(fcinfo, 4);
	PreventCommandIfReadOnly("migrate.register()");
	name = pgm_args_text(fcinfo, 0, "name");
	text = pgm_args_text(fcinfo, 1, "script");

	return register_with_options(fcinfo, name, text, pgm_source_checksum(text, strlen(text)));
}

/*
 * migrate.register(name text, script bytea, description text, source text)
 */
Datum
pgmigrate_register_bytes(PG_FUNCTION_ARGS)
{
	char	   *name;
	bytea	   *bytes;
	char	   *data;
	int			length;

	pgm_args_check_count(fcinfo, 4);
	PreventCommandIfReadOnly("migrate.register()");
	name = pgm_args_text(fcinfo, 0, "name");
	pgm_args_not_null(fcinfo, 1, "script");
	bytes = PG_GETARG_BYTEA_PP(1);
	data = VARDATA_ANY(bytes);
	length = VARSIZE_ANY_EXHDR(bytes);
	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", "script")));
	return register_with_options(fcinfo, name, pgm_source_decode(name, data, length),
								 pgm_source_checksum(data, length));
}

/*
 * migrate.unregister(name text)
 */
Datum
pgmigrate_unregister(PG_FUNCTION_ARGS)
{
	const bool	for_update = true;
	char	   *name;
	PgmMigration *migration;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.unregister()");
	name = pgm_args_text(fcinfo, 0, "name");

	(void) pgm_extension_lock();
	migration = pgm_api_fetch(name, for_update);
	check_ownership(migration);
	if (migration->state == PGM_STATE_APPLIED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot unregister migration \"%s\" because it is applied", name),
				 errhint("Use migrate.rollback() to undo it first.")));
	pgm_run_check_none(name);
	pgm_store_delete_migration(name);
	PG_RETURN_TEXT_P(cstring_to_text("unregistered"));
}
