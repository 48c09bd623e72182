/*-------------------------------------------------------------------------
 *
 * classify.c
 *	  Which statements cannot run inside a transaction.
 *
 * These are the ones for which the server calls PreventInTransactionBlock().
 * Where that depends on what an object is like (a partitioned index, say), the
 * statement counts as transactional here and the server has its say when it
 * runs.
 *
 * IDENTIFICATION
 *	  src/plan/classify.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

#include "plan/plan.h"

/*
 * Value of a boolean option, or the fallback if it is not given or no boolean,
 * about which the server will have its say.
 */
bool
pgm_classify_option(List *options, const char *name, bool fallback)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *option = lfirst_node(DefElem, lc);
		bool		value;

		if (strcmp(option->defname, name) != 0)
			continue;
		if (option->arg == NULL)
			return true;
		return parse_bool(defGetString(option), &value) ? value : fallback;
	}
	return fallback;
}

static bool
reindex_is_transactional(ReindexStmt *stmt)
{
	if (pgm_classify_option(stmt->params, "concurrently", false))
		return false;
	return stmt->kind == REINDEX_OBJECT_INDEX || stmt->kind == REINDEX_OBJECT_TABLE;
}

/*
 * Changing what a subscription subscribes to copies tables, unless told not to.
 */
static bool
alter_subscription_is_transactional(AlterSubscriptionStmt *stmt)
{
	switch (stmt->kind)
	{
		case ALTER_SUBSCRIPTION_REFRESH:
			return false;
		case ALTER_SUBSCRIPTION_SET_PUBLICATION:
		case ALTER_SUBSCRIPTION_ADD_PUBLICATION:
		case ALTER_SUBSCRIPTION_DROP_PUBLICATION:
			return !pgm_classify_option(stmt->options, "refresh", true);
		default:
			return true;
	}
}

/*
 * Is an option given at all?
 */
bool
pgm_classify_option_is_given(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return true;
	}
	return false;
}

static bool
alter_table_is_transactional(AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DetachPartition && ((PartitionCmd *) cmd->def)->concurrent)
			return false;
	}
	return true;
}

/*
 * True if the statement can run inside a transaction, as far as its text tells.
 */
bool
pgm_classify_transactional(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_IndexStmt:
			return !((IndexStmt *) stmt)->concurrent;
		case T_DropStmt:
			return !((DropStmt *) stmt)->concurrent;
		case T_ReindexStmt:
			return reindex_is_transactional((ReindexStmt *) stmt);
		case T_AlterTableStmt:
			return alter_table_is_transactional((AlterTableStmt *) stmt);
		case T_VacuumStmt:
			return !((VacuumStmt *) stmt)->is_vacuumcmd;
		case T_ClusterStmt:
			return ((ClusterStmt *) stmt)->relation != NULL;
		case T_CreateSubscriptionStmt:
			return !pgm_classify_option(((CreateSubscriptionStmt *) stmt)->options, "connect", true) ||
				!pgm_classify_option(((CreateSubscriptionStmt *) stmt)->options, "create_slot", true);
		case T_AlterSubscriptionStmt:
			return alter_subscription_is_transactional((AlterSubscriptionStmt *) stmt);
		case T_AlterDatabaseStmt:
			return !pgm_classify_option_is_given(((AlterDatabaseStmt *) stmt)->options, "tablespace");
		case T_DiscardStmt:
			return ((DiscardStmt *) stmt)->target != DISCARD_ALL;
		case T_CreatedbStmt:
		case T_DropdbStmt:
		case T_CreateTableSpaceStmt:
		case T_DropTableSpaceStmt:
		case T_AlterSystemStmt:
			return false;
		default:
			return true;
	}
}

/*
 * The first statement of a part that cannot run inside a transaction, or NULL.
 */
static PgmStatement *
first_online(const PgmScript *script, PgmPart part)
{
	ListCell   *lc;

	foreach(lc, pgm_script_statements(script, part))
	{
		PgmStatement *statement = (PgmStatement *) lfirst(lc);

		if (!pgm_classify_transactional(statement->raw->stmt))
			return statement;
	}
	return NULL;
}

/*
 * Can all of the script's up part run inside a transaction, and does it not ask
 * for anything else?
 */
bool
pgm_classify_script(const PgmScript *script)
{
	return script->mode != PGM_MODE_ONLINE && first_online(script, PGM_PART_UP) == NULL;
}

/*
 * Throw if a part of a script cannot run inside a transaction.
 */
void
pgm_classify_check_part(const PgmScript *script, PgmPart part)
{
	PgmStatement *statement = first_online(script, part);

	if (statement != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run in a transaction", pgm_script_subject(script)),
				 errdetail("Statement %d of its %s part, on line %d, is %s, which commits by itself.",
						   statement->number, pgm_script_part_name(part), statement->line,
						   GetCommandTagName(CreateCommandTag(statement->raw->stmt))),
				 script->name == NULL ? errhint("Use the form that can run in a transaction.") :
				 errhint("Use the form that can run in a transaction, or run the migration online.")));
	if (part == PGM_PART_UP && script->mode == PGM_MODE_ONLINE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s asks for an online run", pgm_script_subject(script)),
				 errhint("Take the option off the \"-- migrate:up\" marker to run it in a transaction.")));
}
