/*-------------------------------------------------------------------------
 *
 * together.c
 *	  Whether the statements of a script have to run in one transaction, and why.
 *
 * A run commits between its steps, and goes on in another session.  What ends with
 * the transaction or the session would be missing then, and so would the rows of an
 * unlogged table if the server crashes in between: a script that makes one and then
 * takes its rows, or has them logged, would go on without them.
 *
 * IDENTIFICATION
 *	  src/plan/together.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/parsenodes.h"

#include "plan/plan.h"

static const PgmTogether ends = {
	.why = "in one transaction with the others, since the script uses what ends with it",
	.detail = "It uses what ends with a transaction (a temporary table, LOCK TABLE, SET CONSTRAINTS), or changes the role.",
};

static const PgmTogether is_emptied = {
	.why = "in one transaction with the others, since a crash between them would empty the unlogged table that the script takes rows of",
	.detail = "A crash of the server between its statements would empty the unlogged table that it takes rows of.",
};

/* The relation that a statement makes, or NULL. */
static const RangeVar *
made_relation(Node *stmt)
{
	const SelectStmt *select;

	switch (nodeTag(stmt))
	{
		case T_CreateStmt:
			return ((CreateStmt *) stmt)->relation;
		case T_CreateTableAsStmt:
			return ((CreateTableAsStmt *) stmt)->into->rel;
		case T_ViewStmt:
			return ((ViewStmt *) stmt)->view;
		case T_CreateSeqStmt:
			return ((CreateSeqStmt *) stmt)->sequence;
		case T_SelectStmt:
			select = (SelectStmt *) stmt;
			/* the first of a UNION says it for all */
			while (select->op != SETOP_NONE)
				select = select->larg;
			return select->intoClause == NULL ? NULL : select->intoClause->rel;
		default:
			return NULL;
	}
}

/*
 * Does a statement use what lives as long as a transaction?  A temporary table is the
 * session's, but the next session that goes on with a run has not got it.
 */
static bool
uses_transaction(Node *stmt)
{
	const RangeVar *made = made_relation(stmt);
	const VariableSetStmt *set;

	switch (nodeTag(stmt))
	{
		case T_LockStmt:
		case T_ConstraintsSetStmt:
			return true;
		case T_VariableSetStmt:

			/*
			 * steps, and what undoes them, are the role's that asked for the
			 * run
			 */
			set = (VariableSetStmt *) stmt;
			return set->name != NULL && (strcmp(set->name, "role") == 0 ||
										 strcmp(set->name, "session_authorization") == 0);
		case T_DeclareCursorStmt:
			return (((DeclareCursorStmt *) stmt)->options & CURSOR_OPT_HOLD) == 0;
		default:
			return made != NULL && (made->relpersistence == RELPERSISTENCE_TEMP ||
									(made->schemaname != NULL && strcmp(made->schemaname, "pg_temp") == 0));
	}
}

/* Is it an ALTER TABLE with that command? */
static bool
alters(Node *stmt, AlterTableType subtype)
{
	ListCell   *lc;

	if (!IsA(stmt, AlterTableStmt))
		return false;
	foreach(lc, ((AlterTableStmt *) stmt)->cmds)
	{
		if (lfirst_node(AlterTableCmd, lc)->subtype == subtype)
			return true;
	}
	return false;
}

/* The name of the table that a statement makes unlogged, or NULL. */
static const char *
made_unlogged(Node *stmt)
{
	const RangeVar *made = made_relation(stmt);

	if (alters(stmt, AT_SetUnLogged))
		return ((AlterTableStmt *) stmt)->relation->relname;
	if (made != NULL && made->relpersistence == RELPERSISTENCE_UNLOGGED)
		return made->relname;
	return NULL;
}

/* The table that a statement writes, which it names once for that; or NULL. */
static const RangeVar *
written_table(Node *stmt)
{
	switch (nodeTag(stmt))
	{
		case T_InsertStmt:
			return ((InsertStmt *) stmt)->relation;
		case T_UpdateStmt:
			return ((UpdateStmt *) stmt)->relation;
		case T_DeleteStmt:
			return ((DeleteStmt *) stmt)->relation;
		default:
			return NULL;
	}
}

/*
 * May a statement take rows of a table, or have others take them by another name?
 * What is done in the body of a function is not seen.
 */
static bool
takes_rows(const PgmScript *script, const PgmStatement *statement, const char *table)
{
	Node	   *stmt = statement->raw->stmt;
	const RangeVar *written = written_table(stmt);
	List	   *words;
	int			named;

	switch (nodeTag(stmt))
	{
		case T_DoStmt:
		case T_CallStmt:
		case T_CreateFunctionStmt:
			return true;
		case T_SelectStmt:
		case T_InsertStmt:
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
		case T_CreateTableAsStmt:
		case T_RefreshMatViewStmt:
		case T_RenameStmt:
		case T_ViewStmt:
		case T_RuleStmt:
			break;
		default:
			if (!alters(stmt, AT_SetLogged))
				return false;
	}
	words = pgm_tokens_words(pnstrdup(script->sql + statement->location, statement->length),
							 script->conforming_strings);
	named = pgm_tokens_count_table(words, table);
	return named > (written != NULL && strcmp(written->relname, table) == 0 ? 1 : 0);
}

/* Does one of the statements from that cell on take rows of the table? */
static bool
are_taken(const PgmScript *script, const char *table, List *statements, int from)
{
	for (int i = from; i < list_length(statements); i++)
	{
		if (takes_rows(script, (PgmStatement *) list_nth(statements, i), table))
			return true;
	}
	return false;
}

/*
 * Why the statements of a script have to run in one transaction; NULL if they need
 * not.
 */
const PgmTogether *
pgm_plan_together(const PgmScript *script)
{
	List	   *statements = pgm_script_statements(script, PGM_PART_UP);
	const PgmTogether *together = NULL;

	for (int i = 0; i < list_length(statements); i++)
	{
		Node	   *stmt = ((PgmStatement *) list_nth(statements, i))->raw->stmt;
		const char *unlogged = made_unlogged(stmt);

		if (uses_transaction(stmt))
			return &ends;
		if (unlogged != NULL && are_taken(script, unlogged, statements, i + 1))
			together = &is_emptied;
	}
	return together;
}
