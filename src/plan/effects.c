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
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/relation.h"
#include "base/subxact.h"
#include "plan/plan.h"

typedef struct Survey
{
	const PgmScript *script;
	bool		trusted;		/* may the script's code be evaluated? */
	List	   *created;		/* RangeVars of tables that the script makes */
	List	   *lines;			/* of PgmPlanLine * */
} Survey;

static PgmEffect
effect(bool yes)
{
	return yes ? PGM_EFFECT_YES : PGM_EFFECT_NO;
}

/*
 * Is the table that is not there yet one that the script makes?  Then it is new
 * and empty; it could also be one that the script renames.
 */
static bool
makes_table(const Survey *survey, Node *stmt)
{
	const RangeVar *relation = ((AlterTableStmt *) stmt)->relation;
	ListCell   *lc;

	foreach(lc, survey->created)
	{
		const RangeVar *created = (RangeVar *) lfirst(lc);

		if (strcmp(created->relname, relation->relname) == 0 &&
			(created->schemaname == NULL || relation->schemaname == NULL ||
			 strcmp(created->schemaname, relation->schemaname) == 0))
			return true;
	}
	return false;
}

static void
remember_created(Survey *survey, Node *stmt)
{
	if (IsA(stmt, CreateStmt))
		survey->created = lappend(survey->created, ((CreateStmt *) stmt)->relation);
	else if (IsA(stmt, CreateTableAsStmt))
		survey->created = lappend(survey->created, ((CreateTableAsStmt *) stmt)->into->rel);
	else if (IsA(stmt, ViewStmt))
		survey->created = lappend(survey->created, ((ViewStmt *) stmt)->view);
	else if (IsA(stmt, CreateSeqStmt))
		survey->created = lappend(survey->created, ((CreateSeqStmt *) stmt)->sequence);
}

/*
 * What is known of an ALTER TABLE without asking, and whether the server has to
 * be asked for the rest.  It runs as the table's owner then, so who planned it has
 * to have that owner's rights.
 */
static void
alter_effects(Survey *survey, PgmPlanLine *line)
{
	const AlterTableStmt *stmt = (AlterTableStmt *) line->statement->raw->stmt;
	bool		rewrites = false;
	bool		scans = false;
	bool		known = true;
	ListCell   *lc;

	if (!OidIsValid(line->relid))
		known = makes_table(survey, line->statement->raw->stmt);
	else
	{
		char		relkind = get_rel_relkind(line->relid);

		foreach(lc, stmt->cmds)
			pgm_effects_of_command(line->relid, lfirst_node(AlterTableCmd, lc), &rewrites, &scans);
		if (relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE)
		{
			known = false;
			line->ask = survey->trusted && pgm_relation_is_owned(line->relid, GetUserId());
		}
		else if (relkind == RELKIND_MATVIEW)
			known = false;
	}

	line->rewrites = rewrites ? PGM_EFFECT_YES : known ? PGM_EFFECT_NO : PGM_EFFECT_UNKNOWN;
	line->scans = rewrites || scans ? PGM_EFFECT_YES : known ? PGM_EFFECT_NO : PGM_EFFECT_UNKNOWN;
}

/*
 * Add what the server said of a statement.
 */
static void
add_answer(PgmPlanLine *line, PgmProbeResult answer)
{
	if (!answer.known)
		return;
	if (line->rewrites == PGM_EFFECT_UNKNOWN)
		line->rewrites = effect(answer.rewrites);
	if (line->scans == PGM_EFFECT_UNKNOWN)
		line->scans = effect(answer.scans || line->rewrites == PGM_EFFECT_YES);
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
			/* a new table, and a parent only, have nothing to read */
			line->scans = effect(OidIsValid(line->relid) &&
								 (((IndexStmt *) stmt)->relation->inh ||
								  get_rel_relkind(line->relid) != RELKIND_PARTITIONED_TABLE));
			break;
		case T_ReindexStmt:
			line->scans = PGM_EFFECT_YES;
			break;
		case T_RefreshMatViewStmt:
			line->rewrites = effect(!((RefreshMatViewStmt *) stmt)->concurrent);
			line->scans = PGM_EFFECT_YES;
			break;
		case T_ClusterStmt:
			line->rewrites = PGM_EFFECT_YES;
			line->scans = PGM_EFFECT_YES;
			break;
		case T_VacuumStmt:
			/* ANALYZE reads a sample. */
			line->scans = effect(((VacuumStmt *) stmt)->is_vacuumcmd);
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
 * Does a statement check a foreign key, or make one anew, as it changes a type?
 * Then the table at the other end is read too.
 */
static bool
checks_foreign_key(Node *stmt)
{
	ListCell   *lc;

	if (!IsA(stmt, AlterTableStmt))
		return false;
	foreach(lc, ((AlterTableStmt *) stmt)->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		Constraint *constraint = (Constraint *) cmd->def;

		if (cmd->subtype == AT_AlterColumnType ||
			cmd->subtype == AT_ValidateConstraint ||
			(cmd->subtype == AT_AddConstraint && constraint->contype == CONSTR_FOREIGN &&
			 !constraint->skip_validation))
			return true;
	}
	return false;
}

/*
 * Effects on a further relation that the statement locks: what it does to a
 * table, it does to its partitions and children.  ATTACH PARTITION reads the new
 * partition and the default one, and not the parent.
 */
static void
find_further_effects(const PgmPlanLine *first, PgmPlanLine *line)
{
	if (IsA(line->statement->raw->stmt, CreateStmt) && get_rel_relispartition(line->relid))
		line->scans = PGM_EFFECT_YES;	/* the default partition */
	else if (attaches_partition(line->statement->raw->stmt))
		line->scans = has_checks(line->relid) ? PGM_EFFECT_UNKNOWN : PGM_EFFECT_YES;
	else if (has_superclass(line->relid) && has_subclass(first->relid))
	{
		line->rewrites = first->rewrites;
		line->scans = first->scans;
	}
	else if (checks_foreign_key(line->statement->raw->stmt))
		line->scans = first->scans;
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

/*
 * The lines of a script, with all that is known without asking.
 */
static void
survey_script(Survey *survey)
{
	ListCell   *lc;

	foreach(lc, pgm_script_statements(survey->script, PGM_PART_UP))
	{
		PgmStatement *statement = (PgmStatement *) lfirst(lc);
		List	   *locks = pgm_locks_of(statement->raw->stmt);
		PgmPlanLine *first = NULL;
		ListCell   *ld;

		remember_created(survey, statement->raw->stmt);

		if (locks == NIL)
			find_effects(survey, add_line(survey, statement, NULL));
		foreach(ld, locks)
		{
			PgmPlanLine *line = add_line(survey, statement, (PgmLock *) lfirst(ld));

			if (first == NULL)
				find_effects(survey, first = line);
			line->first = first;
		}
	}
}

/* The lines on tables of one owner, for pgm_subxact_run(). */
typedef struct Question
{
	Oid			owner;
	List	   *lines;			/* of PgmPlanLine *, of all owners */
} Question;

static void
ask_server(void *arg)
{
	Question   *question = (Question *) arg;
	PgmProbe   *probe = pgm_probe_create();
	ListCell   *lc;

	foreach(lc, question->lines)
	{
		PgmPlanLine *line = (PgmPlanLine *) lfirst(lc);

		if (line->ask && pgm_relation_owner(line->relid) == question->owner)
			add_answer(line, pgm_probe_statement(probe, line->statement));
	}
}

/*
 * Ask the server about the tables of each owner by themselves.  Code of an owner
 * can run then, as that owner, and must not leave anything behind for the next.
 */
static void
ask_for_each_owner(List *lines)
{
	List	   *owners = NIL;
	ListCell   *lc;

	foreach(lc, lines)
	{
		PgmPlanLine *line = (PgmPlanLine *) lfirst(lc);

		if (line->ask)
			owners = list_append_unique_oid(owners, pgm_relation_owner(line->relid));
	}
	foreach(lc, owners)
	{
		Question	question = {lfirst_oid(lc), lines};
		const bool	keep = false;
		ErrorData  *error = pgm_subxact_run(ask_server, &question, keep);

		if (error != NULL)
			ReThrowError(error);
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
	Survey		survey = {script, trusted, NIL, NIL};
	ListCell   *lc;

	survey_script(&survey);
	ask_for_each_owner(survey.lines);
	foreach(lc, survey.lines)
	{
		PgmPlanLine *line = (PgmPlanLine *) lfirst(lc);

		if (line->first != NULL && line->first != line)
			find_further_effects(line->first, line);
	}
	return survey.lines;
}
