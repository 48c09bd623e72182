/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  Running the statements of a script in the caller's transaction.
 *
 * The server parsed the script already, so the parse trees are run as they are:
 * nothing is turned back into text or parsed twice, and every error position is
 * one in the script.  Each statement has a snapshot of its own and sees what
 * those before it did, as if a client had sent them one by one.
 *
 * IDENTIFICATION
 *	  src/exec/execute.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "parser/analyze.h"
#include "portability/instr_time.h"
#include "storage/proc.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/lock.h"
#include "plan/plan.h"
#include "exec/exec.h"

/* Receiver of a part that only looks: has some row a false in front? */
typedef struct FalseFinder
{
	DestReceiver pub;
	bool		has_boolean;	/* is the first column a boolean? */
	bool		found;
} FalseFinder;

static void
finder_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	((FalseFinder *) self)->has_boolean =
		typeinfo->natts > 0 && getBaseType(TupleDescAttr(typeinfo, 0)->atttypid) == BOOLOID;
}

static bool
finder_receive(TupleTableSlot *slot, DestReceiver *self)
{
	FalseFinder *finder = (FalseFinder *) self;
	bool		isnull;

	if (finder->has_boolean && (!DatumGetBool(slot_getattr(slot, 1, &isnull)) || isnull))
		finder->found = true;
	return true;
}

static void
finder_nothing(DestReceiver *self)
{
}

/*
 * Take the locks that the statement will need before it stands in line for
 * them.  Weak ones are left to it: they wait for nobody but strong ones.
 */
static void
take_locks(Node *stmt)
{
	ListCell   *lc;

	foreach(lc, pgm_locks_of(stmt))
	{
		PgmLock    *lock = (PgmLock *) lfirst(lc);

		if (lock->allowed && lock->mode >= ShareUpdateExclusiveLock)
			pgm_lock_relation(lock->relid, lock->mode);
	}
}

/*
 * Run one planned query or utility statement; returns the rows it processed.
 */
static uint64
execute_planned(PlannedStmt *planned, const char *source, DestReceiver *dest)
{
	QueryCompletion completion;
	QueryDesc  *desc;
	uint64		rows;

	if (planned->commandType == CMD_UTILITY)
	{
		InitializeQueryCompletion(&completion);
		ProcessUtility(planned, source, false, PROCESS_UTILITY_QUERY,
					   NULL, NULL, dest, &completion);
		return completion.nprocessed;
	}

	desc = CreateQueryDesc(planned, source, GetActiveSnapshot(), InvalidSnapshot,
						   dest, NULL, NULL, 0);
	ExecutorStart(desc, 0);
	pgm_executor_run(desc);
	ExecutorFinish(desc);
	rows = desc->estate->es_processed;
	ExecutorEnd(desc);
	FreeQueryDesc(desc);
	return rows;
}

/*
 * Analyze, plan and run one statement; returns the rows it processed.
 */
static uint64
execute_statement(const PgmStatement *statement, DestReceiver *dest)
{
	RawStmt    *raw = statement->raw;
	bool		needs_snapshot = analyze_requires_snapshot(raw);
	List	   *queries;
	List	   *plans;
	uint64		rows = 0;
	ListCell   *lc;

	pgm_lock_watch_reset();
	take_locks(raw->stmt);

	if (needs_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	queries = pg_analyze_and_rewrite_fixedparams(raw, statement->source, NULL, 0, NULL);
	plans = pg_plan_queries(queries, statement->source, CURSOR_OPT_PARALLEL_OK, NULL);
	if (needs_snapshot)
		PopActiveSnapshot();

	foreach(lc, plans)
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		rows += execute_planned(lfirst_node(PlannedStmt, lc), statement->source, dest);
		PopActiveSnapshot();
	}
	CommandCounterIncrement();
	return rows;
}

/*
 * Throw if a part that looks saw a false; the error context says where.
 */
static void
check_found(PgmPart part, bool found)
{
	if (!found)
		return;
	if (part == PGM_PART_CHECK)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("precondition of the migration does not hold"),
				 errdetail("A statement of its check part returned false or null.")));
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("verification of the migration failed"),
			 errdetail("A statement of its verify part returned false or null.")));
}

/*
 * Run a statement, and keep what it did.
 */
static void
execute_and_record(PgmExecution *execution, PgmPart part, const PgmStatement *statement,
				   MemoryContext work)
{
	bool		looks = part == PGM_PART_CHECK || part == PGM_PART_VERIFY;
	FalseFinder finder = {{finder_receive, finder_startup, finder_nothing, finder_nothing, DestNone}};
	PgmRunStatement *record = palloc(sizeof(PgmRunStatement));
	uint64		wal_bytes = pgWalUsage.wal_bytes;
	instr_time	start;
	instr_time	duration;
	MemoryContext caller = MemoryContextSwitchTo(work);

	INSTR_TIME_SET_CURRENT(start);
	record->rows = execute_statement(statement, looks ? &finder.pub : None_Receiver);
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	check_found(part, finder.found);

	MemoryContextSwitchTo(caller);
	record->part = pgm_script_part_name(part);
	record->number = statement->number;
	record->line = statement->line;
	record->command = GetCommandTagName(CreateCommandTag(statement->raw->stmt));
	record->duration_ms = INSTR_TIME_GET_MILLISEC(duration);
	record->wal_bytes = pgWalUsage.wal_bytes - wal_bytes;
	record->sql = pnstrdup(execution->script->sql + statement->location, statement->length);
	execution->statements = lappend(execution->statements, record);
	execution->rows += record->rows;
	execution->wal_bytes += record->wal_bytes;
}

/*
 * Never stand in line for longer than pgmigrate.lock_timeout, unless the
 * session is even less patient.
 */
void
pgm_execute_limit_lock_wait(void)
{
	char		value[32];

	if (pgm_lock_timeout == 0 || (LockTimeout > 0 && LockTimeout <= pgm_lock_timeout))
		return;
	snprintf(value, sizeof(value), "%d", pgm_lock_timeout);
	(void) set_config_option("lock_timeout", value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Run one statement of a part.  What is recorded lives in the current context.
 *
 * A security-restricted operation is what keeps a confined script from being
 * anybody else, now and when the transaction commits: it has no SET ROLE, and
 * no deferred triggers or held cursors either.
 */
void
pgm_execute_statement(PgmExecution *execution, PgmPart part, const PgmStatement *statement)
{
	PgmScriptFrame frame = {execution->script, part,
	execution->script->parts[part].start, statement, execution->confined};
	ErrorContextCallback callback;
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate statement",
											   ALLOCSET_DEFAULT_SIZES);
	Oid			userid;
	int			sec_context;

	callback.callback = pgm_script_error_context;
	callback.arg = &frame;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	GetUserIdAndSecContext(&userid, &sec_context);
	if (execution->confined)
		SetUserIdAndSecContext(userid, sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);

	execution->current = statement;
	CHECK_FOR_INTERRUPTS();
	execute_and_record(execution, part, statement, work);

	if (execution->confined)
		SetUserIdAndSecContext(userid, sec_context);
	error_context_stack = callback.previous;
	MemoryContextDelete(work);
}

/*
 * Run all statements of a part.
 */
void
pgm_execute_part(PgmExecution *execution, PgmPart part)
{
	ListCell   *lc;

	foreach(lc, pgm_script_statements(execution->script, part))
		pgm_execute_statement(execution, part, (PgmStatement *) lfirst(lc));
}
