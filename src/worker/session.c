/*-------------------------------------------------------------------------
 *
 * session.c
 *	  The session of a background process, and its transactions.
 *
 * A worker is connected as the role that the work belongs to, so there is
 * nothing that code of that role could go back to.  Where the server cannot
 * connect as a role that may not log in (before 17), the session is a
 * superuser's and each transaction is pinned to the role from its start through
 * its commit, deferred triggers included.
 *
 * Cancel and termination behave as in any session: SIGTERM ends the process even
 * in the middle of a statement, SIGINT ends the statement.
 *
 * IDENTIFICATION
 *	  src/worker/session.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifndef WIN32
#include <sys/resource.h>
#endif

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"

#include "base/compat.h"
#include "base/guc.h"
#include "worker/worker.h"

/* To act as in each transaction; InvalidOid: as whoever is connected. */
static Oid	pinned_role = InvalidOid;

static void
set_option(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_USERSET, PGC_S_OVERRIDE);
}

/*
 * Connect to a database as a role; InvalidOid stands for a superuser.
 */
void
pgm_session_begin(Oid database, Oid role, bool pinned)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, StatementCancelHandler);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	HOLD_CANCEL_INTERRUPTS();
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, pinned ? InvalidOid : role,
											  OidIsValid(role) ? PGM_WORKER_AS_ANY_ROLE : 0);
	pinned_role = pinned ? role : InvalidOid;
	set_option("application_name", "pgmigrate");
	set_option("default_transaction_isolation", "read committed");
	set_option("default_transaction_read_only", "off");
	/* what a crash takes back is done again, markers and rows together */
	set_option("synchronous_commit", "off");
}

/*
 * Let other processes have the processor first.  A process can only become nicer,
 * so this is for one that does nothing else.
 */
void
pgm_session_be_nice(void)
{
#ifndef WIN32
	(void) setpriority(PRIO_PROCESS, 0, pgm_backfill_nice);
#endif
}

static void
become_role(void *arg)
{
	Oid			role = *(Oid *) arg;

	SetSessionAuthorization(role, superuser_arg(role));
}

/*
 * Be a session that runs whole statements of a script, which may take long, and
 * commands that end transactions.  A pinned session becomes the role for good:
 * what could lead back is kept from scripts by confining them, as always where
 * the author has not the rights of the role that is connected.
 */
void
pgm_session_be_run(void)
{
	const bool	missing_ok = true;
	Oid			role = pinned_role;
	ErrorData  *error;

	set_option("statement_timeout", "0");
	set_option("lock_timeout", "0");
	set_option("idle_in_transaction_session_timeout", "0");
	/* from 17 on */
	if (GetConfigOption("transaction_timeout", missing_ok, false) != NULL)
		set_option("transaction_timeout", "0");
	if (!OidIsValid(role))
		return;

	/*
	 * by a transaction that is not pinned: it has the session's user to
	 * itself
	 */
	pinned_role = InvalidOid;
	error = pgm_session_run(become_role, &role, TopMemoryContext);
	if (error != NULL)
		ThrowErrorData(error);
}

/*
 * How long commands may stand in line for a lock from now on; 0 is for ever.
 */
void
pgm_session_limit_locks(int ms)
{
	char		value[32];

	snprintf(value, sizeof(value), "%d", ms);
	SetConfigOption("lock_timeout", value, PGC_USERSET, PGC_S_SESSION);
}

/*
 * Read the configuration files again if we were told to.
 */
void
pgm_session_reload(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

static void
begin_transaction(bool snapshot, bool timed)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (OidIsValid(pinned_role))
	{
		if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(pinned_role)))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("role with OID %u does not exist any more", pinned_role)));
		SetUserIdAndSecContext(pinned_role, SECURITY_LOCAL_USERID_CHANGE);
	}

	/*
	 * whatever a script has set for transactions to come: to it, this is the
	 * same one
	 */
	XactReadOnly = false;
	XactIsoLevel = XACT_READ_COMMITTED;
	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	/* the server arms it for clients only */
	if (timed && StatementTimeout > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
}

static void
commit_transaction(bool snapshot)
{
	/* whatever the setting is by now */
	if (get_timeout_active(STATEMENT_TIMEOUT))
		disable_timeout(STATEMENT_TIMEOUT, false);
	if (snapshot)
		PopActiveSnapshot();
	CommitTransactionCommand();
	if (OidIsValid(pinned_role))
		SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, 0);
}

/*
 * After an error: roll everything back and return the error in the context given.
 * Called in PG_CATCH().
 */
static ErrorData *
clean_up(MemoryContext cxt)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	QueryCancelHoldoffCount = 1;
	disable_all_timeouts(false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(cxt);
	error = CopyErrorData();
	AbortOutOfAnyTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
	return error;
}

/*
 * Run body(arg) in a transaction.  If it throws, the transaction is rolled back
 * and the error returned, in the context given; else NULL.
 */
static ErrorData *
run(PgmTransactionBody body, void *arg, MemoryContext cxt, bool snapshot, bool timed)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		/* a cancel that came while no query ran was for one that has ended */
		QueryCancelPending = false;
		RESUME_CANCEL_INTERRUPTS();
		begin_transaction(snapshot, timed);
		body(arg);
		commit_transaction(snapshot);
		HOLD_CANCEL_INTERRUPTS();
	}
	PG_CATCH();
	{
		error = clean_up(cxt);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	pgstat_report_stat(false);
	return error;
}

ErrorData *
pgm_session_run(PgmTransactionBody body, void *arg, MemoryContext cxt)
{
	const bool	snapshot = true;
	const bool	timed = true;

	return run(body, arg, cxt, snapshot, timed);
}

/*
 * The same without a limit of time, for what only keeps the record.
 */
ErrorData *
pgm_session_run_untimed(PgmTransactionBody body, void *arg, MemoryContext cxt)
{
	const bool	snapshot = true;
	const bool	timed = true;

	return run(body, arg, cxt, snapshot, !timed);
}

/*
 * The same without a snapshot, for what may take long: it holds nobody back.
 */
ErrorData *
pgm_session_run_bare(PgmTransactionBody body, void *arg, MemoryContext cxt)
{
	const bool	snapshot = true;
	const bool	timed = true;

	return run(body, arg, cxt, !snapshot, timed);
}

/*
 * Run one command as a client would send it, so that it can be one that cannot
 * run in a transaction block.  The text and what is made of it have to outlive
 * the transactions that the command ends.
 *
 * A pinned session runs it as the superuser that it is: a command that ends
 * transactions cannot be pinned.  So this is for commands in which the server
 * itself switches to the owner of the table before it runs anybody's code.
 */
static void
execute_command(const char *sql, MemoryContext cxt)
{
	RawStmt    *raw;
	List	   *plans;
	Portal		portal;
	DestReceiver *dest = CreateDestReceiver(DestNone);

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	PushActiveSnapshot(GetTransactionSnapshot());
	raw = linitial_node(RawStmt, pg_parse_query(sql));
	plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, sql, NULL, 0, NULL), sql,
							CURSOR_OPT_PARALLEL_OK, NULL);
	PopActiveSnapshot();
	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, sql, CreateCommandTag(raw->stmt), plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	pgm_portal_run(portal, dest);
	PortalDrop(portal, false);
	CommitTransactionCommand();
}

/*
 * The same; returns the error if it throws, in the context given, else NULL.
 */
ErrorData *
pgm_session_execute(const char *sql, MemoryContext cxt)
{
	MemoryContext command_cxt = AllocSetContextCreate(cxt, "pgmigrate command",
													  ALLOCSET_SMALL_SIZES);
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		/* a cancel that came since the last transaction is for this */
		RESUME_CANCEL_INTERRUPTS();
		execute_command(MemoryContextStrdup(command_cxt, sql), command_cxt);
		HOLD_CANCEL_INTERRUPTS();
	}
	PG_CATCH();
	{
		error = clean_up(cxt);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	MemoryContextDelete(command_cxt);
	pgstat_report_stat(false);
	return error;
}
