/*-------------------------------------------------------------------------
 *
 * effects.c
 *	  What each statement of a migration will lock, rewrite and scan.
 *
 * Joins what locks.c foresees, what probe.c learned from the server, and what
 * is known of statements that do one thing only.
 *
 * IDENTIFICATION
 *	  src/plan/effects.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/subxact.h"
#include "plan/plan.h"

typedef struct Survey
{
	const PgmScript *script;
	PgmProbe   *probe;			/* or NULL if the server must not be asked */
	List	   *lines;			/* of PgmPlanLine * */
} Survey;

static PgmEffect
effect(bool yes)
{
	return yes ? PGM_EFFECT_YES : PGM_EFFECT_NO;
}

/*
 * Would a new column bring a sequence, whose values every row gets at once?
 */
bool
pgm_effects_makes_sequence(const ColumnDef *column)
{
	static const char *const serials[] = {
		"smallserial", "serial2", "serial", "serial4", "bigserial", "serial8"
	};
	ListCell   *lc;

	foreach(lc, column->constraints)
	{
		if (lfirst_node(Constraint, lc)->contype == CONSTR_IDENTITY)
			return true;
	}
	if (column->typeName == NULL || list_length(column->typeName->names) != 1)
		return false;
	for (int i = 0; i < lengthof(serials); i++)
	{
		if (strcmp(strVal(linitial(column->typeName->names)), serials[i]) == 0)
			return true;
	}
	return false;
}

/*
 * A foreign key is checked for a new column's default only.
 */
static bool
new_column_scans(const ColumnDef *column)
{
	bool		has_default = false;
	bool		has_foreign_key = false;
	ListCell   *lc;

	foreach(lc, column->constraints)
	{
		Constraint *constraint = lfirst_node(Constraint, lc);

		has_default |= constraint->contype == CONSTR_DEFAULT;
		has_foreign_key |= constraint->contype == CONSTR_FOREIGN;
		if (constraint->contype == CONSTR_UNIQUE || constraint->contype == CONSTR_PRIMARY)
			return true;
	}
	return has_default && has_foreign_key;
}

/*
 * Is some column of an index of the table nullable?  Then a primary key that
 * uses it has to look for NULLs.
 */
static bool
index_has_nullable(Oid relid, const char *indexname)
{
	Oid			indexid = get_relname_relid(indexname, get_rel_namespace(relid));
	HeapTuple	tuple;
	Form_pg_index index;
	bool		result = false;

	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
	if (!HeapTupleIsValid(tuple))
		return true;
	index = (Form_pg_index) GETSTRUCT(tuple);
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		HeapTuple	column = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
											 Int16GetDatum(index->indkey.values[i]));

		if (!HeapTupleIsValid(column))
			continue;
		result |= !((Form_pg_attribute) GETSTRUCT(column))->attnotnull;
		ReleaseSysCache(column);
	}
	ReleaseSysCache(tuple);
	return result;
}

/*
 * Does a constraint read the whole table as it is added?
 */
static bool
constraint_scans(Oid relid, const Constraint *constraint)
{
	switch (constraint->contype)
	{
		case CONSTR_FOREIGN:
			return !constraint->skip_validation;
		case CONSTR_UNIQUE:
			return constraint->indexname == NULL;
		case CONSTR_PRIMARY:
			return constraint->indexname == NULL || index_has_nullable(relid, constraint->indexname);
		case CONSTR_EXCLUSION:
			return true;
		default:
			return false;
	}
}

/*
 * What is known of a command without asking.
 */
static void
known_command_effects(Oid relid, const AlterTableCmd *cmd, bool *rewrites, bool *scans)
{
	char		persistence = get_rel_persistence(relid);

	switch (cmd->subtype)
	{
		case AT_AddColumn:
			*rewrites |= pgm_effects_makes_sequence((ColumnDef *) cmd->def);
			*scans |= new_column_scans((ColumnDef *) cmd->def);
			break;
		case AT_AddConstraint:
			*scans |= constraint_scans(relid, (Constraint *) cmd->def);
			break;
		case AT_ValidateConstraint:
			*scans = true;
			break;
		case AT_SetTableSpace:
			*rewrites = true;
			break;
		case AT_SetLogged:
			*rewrites |= persistence == RELPERSISTENCE_UNLOGGED;
			break;
		case AT_SetUnLogged:
			*rewrites |= persistence == RELPERSISTENCE_PERMANENT;
			break;
		default:
			break;
	}
}

/*
 * May the statement be tried on a copy of the table?  It runs as the table's
 * owner there, so who planned it has to have that owner's rights.
 */
static bool
may_probe(const Survey *survey, Oid relid)
{
	return survey->probe != NULL && pgm_relation_is_owned(relid, GetUserId());
}

/*
 * What the server says of an ALTER TABLE.
 */
static PgmProbeResult
probe_alter(Survey *survey, const PgmPlanLine *line)
{
	const PgmProbeResult nothing = {true, false, false};
	const PgmProbeResult unknown = {false, false, false};

	if (!OidIsValid(line->relid))
		return nothing;			/* not there yet, so it is new and empty */

	switch (get_rel_relkind(line->relid))
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return may_probe(survey, line->relid) ?
				pgm_probe_statement(survey->probe, line->statement) : unknown;
		case RELKIND_MATVIEW:
			return unknown;
		default:
			return nothing;		/* has no rows */
	}
}

static void
alter_effects(Survey *survey, PgmPlanLine *line)
{
	const AlterTableStmt *stmt = (AlterTableStmt *) line->statement->raw->stmt;
	PgmProbeResult result = probe_alter(survey, line);
	bool		rewrites = false;
	bool		scans = false;

	if (OidIsValid(line->relid))
	{
		ListCell   *lc;

		foreach(lc, stmt->cmds)
			known_command_effects(line->relid, lfirst_node(AlterTableCmd, lc), &rewrites, &scans);
	}
	line->rewrites = effect(rewrites || result.rewrites);
	line->scans = effect(scans || result.scans || line->rewrites == PGM_EFFECT_YES);
	if (!result.known)
	{
		if (!rewrites)
			line->rewrites = PGM_EFFECT_UNKNOWN;
		if (!scans && !rewrites)
			line->scans = PGM_EFFECT_UNKNOWN;
	}
}

/*
 * Effects on the first relation of a statement, which is the one it is about.
 */
static void
find_effects(Survey *survey, PgmPlanLine *line)
{
	Node	   *stmt = line->statement->raw->stmt;

	switch (nodeTag(stmt))
	{
		case T_AlterTableStmt:
			alter_effects(survey, line);
			break;
		case T_IndexStmt:

			/*
			 * On a new table there is nothing to read, on a parent only
			 * neither.
			 */
			line->scans = effect(OidIsValid(line->relid) &&
								 (((IndexStmt *) stmt)->relation->inh ||
								  get_rel_relkind(line->relid) != RELKIND_PARTITIONED_TABLE));
			break;
		case T_ReindexStmt:
			line->scans = PGM_EFFECT_YES;
			break;
		case T_ClusterStmt:
		case T_RefreshMatViewStmt:
			line->rewrites = PGM_EFFECT_YES;
			line->scans = PGM_EFFECT_YES;
			break;
		case T_VacuumStmt:
			line->scans = PGM_EFFECT_YES;
			break;
		case T_UpdateStmt:
		case T_DeleteStmt:
		case T_MergeStmt:
		case T_InsertStmt:
		case T_SelectStmt:
		case T_CreateTableAsStmt:
		case T_ExplainStmt:
		case T_ExecuteStmt:
		case T_CopyStmt:
		case T_DoStmt:
		case T_CallStmt:
			/* That depends on the plan, or on what is called. */
			line->scans = PGM_EFFECT_UNKNOWN;
			break;
		case T_AlterDomainStmt:
			line->scans = effect(((AlterDomainStmt *) stmt)->subtype == 'C' ||
								 ((AlterDomainStmt *) stmt)->subtype == 'O' ||
								 ((AlterDomainStmt *) stmt)->subtype == 'V');
			break;
		default:
			break;
	}
}

static bool
attaches_partition(Node *stmt)
{
	if (!IsA(stmt, AlterTableStmt))
		return false;
	return linitial_node(AlterTableCmd, ((AlterTableStmt *) stmt)->cmds)->subtype ==
		AT_AttachPartition;
}

/*
 * Does a table have CHECK constraints?  They may prove that a scan is not needed.
 */
static bool
has_checks(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_class) GETSTRUCT(tuple))->relchecks > 0;
		ReleaseSysCache(tuple);
	}
	return result;
}

/*
 * Effects on a further relation that the statement locks: what it does to a
 * table, it does to its partitions and children.  ATTACH PARTITION reads the new
 * partition and the default one, and not the parent.
 */
static void
find_further_effects(const PgmPlanLine *first, PgmPlanLine *line)
{
	if (attaches_partition(line->statement->raw->stmt))
		line->scans = has_checks(line->relid) ? PGM_EFFECT_UNKNOWN : PGM_EFFECT_YES;
	else if (has_superclass(line->relid) && has_subclass(first->relid))
	{
		line->rewrites = first->rewrites;
		line->scans = first->scans;
	}
}

static PgmPlanLine *
add_line(Survey *survey, const PgmStatement *statement, const PgmLock *lock)
{
	PgmPlanLine *line = palloc0(sizeof(PgmPlanLine));

	line->statement = statement;
	line->kind = GetCommandTagName(CreateCommandTag(statement->raw->stmt));
	line->relid = lock == NULL ? InvalidOid : lock->relid;
	line->mode = lock == NULL ? NoLock : lock->mode;
	line->transactional = pgm_classify_transactional(statement->raw->stmt);
	survey->lines = lappend(survey->lines, line);
	return line;
}

static void
survey_script(void *arg)
{
	Survey	   *survey = (Survey *) arg;
	ListCell   *lc;

	foreach(lc, pgm_script_statements(survey->script, PGM_PART_UP))
	{
		PgmStatement *statement = (PgmStatement *) lfirst(lc);
		List	   *locks = pgm_locks_of(statement->raw->stmt);
		PgmPlanLine *first = NULL;
		ListCell   *ld;

		if (locks == NIL)
			find_effects(survey, add_line(survey, statement, NULL));
		foreach(ld, locks)
		{
			PgmPlanLine *line = add_line(survey, statement, (PgmLock *) lfirst(ld));

			if (first == NULL)
				find_effects(survey, first = line);
			else
				find_further_effects(first, line);
		}
	}
}

/*
 * The plan of a script's up part, as PgmPlanLine, one or more for each
 * statement.  With "trusted", code of the script may be evaluated as the current
 * user to learn what it does.  Nothing stays behind, whatever the probe did.
 */
List *
pgm_effects_of(const PgmScript *script, bool trusted)
{
	Survey		survey = {script, trusted ? pgm_probe_create() : NULL, NIL};
	const bool	keep = false;
	ErrorData  *error = pgm_subxact_run(survey_script, &survey, keep);

	if (error != NULL)
		ReThrowError(error);
	return survey.lines;
}
