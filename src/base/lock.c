/*-------------------------------------------------------------------------
 *
 * lock.c
 *	  Locks that are taken without standing in line, and who is in the way.
 *
 * A session that waits for a strong lock makes every later query on the table
 * wait behind it.  So a lock is asked for conditionally; when it is not to be
 * had, the error says who holds it, and whoever catches that error releases all
 * it has and tries again later.
 *
 * A lock that nobody foresaw is waited for by the server itself, and when
 * lock_timeout ends that, the server forgets which lock it was.  A timer looks
 * now and then what this process waits for, so that this error can tell too.
 *
 * IDENTIFICATION
 *	  src/base/lock.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/guc.h"
#include "base/lock.h"
#include "base/relation.h"
#include "base/wait.h"

/* The functions, not the views on them, which a careful DBA may have closed. */
static const char *const blockers_sql =
"SELECT string_agg(format('Process %s of user \"%s\" (%s, in its transaction for %s): %s',"
"  a.pid, pg_get_userbyid(a.usesysid), coalesce(a.state, a.backend_type, 'state hidden'),"
"  coalesce(round(extract(epoch FROM clock_timestamp() - a.xact_start), 1) || ' s',"
"    'an unknown time'),"
"  left(regexp_replace(a.query, '[[:space:]]+', ' ', 'g'), 200)), E'\\n' ORDER BY a.xact_start)"
" FROM pg_stat_get_activity(NULL) a WHERE a.pid = ANY ($1) OR a.pid IN"
" (SELECT l.pid FROM pg_lock_status() l WHERE NOT l.granted AND l.relation = $2"
"  AND l.database = $3 AND l.mode = ANY ($4) AND l.pid <> pg_backend_pid())";

static const char *const held_sql =
"SELECT l.relation FROM pg_lock_status() l"
" WHERE l.pid = pg_backend_pid() AND l.granted AND l.locktype = 'relation'"
" AND l.database = $1 AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock',"
"  'ExclusiveLock', 'AccessExclusiveLock')";

/*
 * Process IDs of those that hold a lock in conflict with the given one.  A
 * prepared transaction has none, though it keeps the virtual transaction ID of
 * the session that prepared it.
 */
ArrayType *
pgm_lock_conflicting_pids(const LOCKTAG *tag, LOCKMODE mode)
{
	int			count;
	VirtualTransactionId *holders = GetLockConflicts(tag, mode, &count);
	Datum	   *pids = palloc(sizeof(Datum) * Max(count, 1));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		PGPROC	   *proc = pgm_vxid_proc(holders[i]);

		if (proc != NULL && proc->pid != 0 &&
			pgm_proc_lxid(proc) == holders[i].localTransactionId)
			pids[n++] = Int32GetDatum(proc->pid);
	}
	return construct_array(pids, n, INT4OID, sizeof(int32), true, TYPALIGN_INT);
}

/*
 * Names of the modes that conflict with one, as text[].
 */
static Datum
conflicting_modes(LOCKMODE mode)
{
	Datum		names[MaxLockMode];
	int			n = 0;

	for (LOCKMODE other = AccessShareLock; other <= MaxLockMode; other++)
	{
		if (DoLockModesConflict(mode, other))
			names[n++] = CStringGetTextDatum(GetLockmodeName(DEFAULT_LOCKMETHOD, other));
	}
	return PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * One line for each session that is in the way of a lock: process, user, age of
 * its transaction and query, as far as the current user may see them.  The
 * string lives in the current context.
 */
char *
pgm_lock_blockers(const LOCKTAG *tag, LOCKMODE mode)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {INT4ARRAYOID, OIDOID, OIDOID, TEXTARRAYOID};
	Datum		values[4];
	int			guc_level = NewGUCNestLevel();
	char	   *text = NULL;
	char	   *result;

	/* Those that wait for the relation are in the way too. */
	values[0] = PointerGetDatum(pgm_lock_conflicting_pids(tag, mode));
	values[1] = ObjectIdGetDatum(tag->locktag_type == LOCKTAG_RELATION ?
								 tag->locktag_field2 : InvalidOid);
	values[2] = ObjectIdGetDatum(tag->locktag_field1);
	values[3] = conflicting_modes(mode);
	pgm_guc_pin_search_path();
	SPI_connect();
	if (SPI_execute_with_args(blockers_sql, lengthof(types), types, values, NULL, false, 0) == SPI_OK_SELECT)
		text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

	if (text == NULL)
		text = "What was in the way has ended, or is a prepared transaction.";

	result = MemoryContextStrdup(caller, text);
	SPI_finish();
	AtEOXact_GUC(true, guc_level);
	return result;
}

/* What was refused last. */
static LOCKTAG refused_tag;
static LOCKMODE refused_mode = NoLock;

/*
 * Lock a relation at once, or throw lock_not_available with those in the way.
 */
void
pgm_lock_relation(Oid relid, LOCKMODE mode)
{
	LOCKTAG		tag;
	char	   *blockers;

	if (ConditionalLockRelationOid(relid, mode))
		return;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
	refused_tag = tag;
	refused_mode = mode;
	blockers = pgm_lock_blockers(&tag, mode);
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("could not obtain lock on relation \"%s\"", get_rel_name(relid)),
			 errdetail_internal("%s", blockers),
			 errhint(PGM_LOCK_HINT)));
}

/*
 * Was a relation made by this transaction, or is it a temporary one, so that
 * nobody else can wait for it?  One that it dropped was there before, as far as
 * can be told.
 */
static bool
made_here(Oid relid)
{
	Relation	rel = RelationIdGetRelation(relid);
	bool		result;

	if (rel == NULL)
		return false;
	result = RELATION_IS_LOCAL(rel);
	RelationClose(rel);
	return result;
}

/*
 * Does this transaction hold a lock that makes others wait?
 */
bool
pgm_lock_holds_strong(void)
{
	Oid			types[] = {OIDOID};
	Datum		values[1];
	const bool	read_only = false;
	const long	all_rows = 0;
	int			guc_level = NewGUCNestLevel();
	bool		result = false;

	pgm_guc_pin_search_path();
	SPI_connect();
	values[0] = ObjectIdGetDatum(MyDatabaseId);
	if (SPI_execute_with_args(held_sql, lengthof(types), types, values, NULL,
							  read_only, all_rows) != SPI_OK_SELECT)
		elog(ERROR, "could not look for locks");
	for (uint64 i = 0; i < SPI_processed && !result; i++)
	{
		bool		isnull;
		Datum		relid = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		result = !made_here(DatumGetObjectId(relid));
	}
	SPI_finish();
	AtEOXact_GUC(true, guc_level);
	return result;
}

/*
 * Lock relations and all below them, if all are to be had at once.  Returns the one
 * that is not, or InvalidOid.
 */
static Oid
lock_all(List *relids, LOCKMODE mode)
{
	List	   *taken = NIL;
	ListCell   *lc;
	ListCell   *below;
	Oid			missing = InvalidOid;

	foreach(lc, relids)
	{
		if (!ConditionalLockRelationOid(lfirst_oid(lc), mode))
		{
			missing = lfirst_oid(lc);
			break;
		}
		taken = lappend_oid(taken, lfirst_oid(lc));
		foreach(below, pgm_relation_tree(lfirst_oid(lc)))
		{
			if (list_member_oid(taken, lfirst_oid(below)))
				continue;
			if (!ConditionalLockRelationOid(lfirst_oid(below), mode))
			{
				missing = lfirst_oid(below);
				break;
			}
			taken = lappend_oid(taken, lfirst_oid(below));
		}
		if (OidIsValid(missing))
			break;
	}
	if (OidIsValid(missing))
	{
		foreach(lc, taken)
			UnlockRelationOid(lfirst_oid(lc), mode);
	}
	return missing;
}

/*
 * Lock relations and all below them, without standing in line: as often as
 * pgmigrate.lock_retries says, with nothing held in between.  A transaction that
 * has strong locks already does not wait with them.  Throws lock_not_available with
 * those in the way.
 */
void
pgm_lock_trees(List *relids, LOCKMODE mode)
{
	for (int tries = 1;; tries++)
	{
		Oid			missing = lock_all(relids, mode);

		if (!OidIsValid(missing))
			return;
		if (tries > pgm_lock_retries || pgm_lock_holds_strong())
			pgm_lock_relation(missing, mode);
		else
			pgm_wait_ms(pgm_wait_backoff_ms(tries, pg_prng_double(&pg_global_prng_state)));
	}
}

/*
 * The same for one.
 */
void
pgm_lock_tree(Oid relid, LOCKMODE mode)
{
	pgm_lock_trees(list_make1_oid(relid), mode);
}

/* What the process was last seen waiting for; written by the timer's handler. */
static TimeoutId watch_timeout = MAX_TIMEOUTS;
static volatile sig_atomic_t watch_seen = false;
static LOCKTAG watch_tag;
static LOCKMODE watch_mode;

/*
 * Runs in the signal handler.  While we wait, the lock that we wait for stays
 * where it is, and MyProc says which it is.  A fatal error does not come back to
 * stop the timer, so this can run until the process is gone.
 */
static void
watch_handler(void)
{
	const LOCK *lock;

	if (proc_exit_inprogress || MyProc == NULL)
		return;
	lock = MyProc->waitLock;
	if (lock == NULL)
		return;
	watch_tag = lock->tag;
	watch_mode = MyProc->waitLockMode;
	watch_seen = true;
}

/*
 * Look every so many milliseconds what this process waits for, until
 * pgm_lock_watch_end(), which an error does not call by itself.
 */
void
pgm_lock_watch_begin(int interval_ms)
{
	if (watch_timeout == MAX_TIMEOUTS)
		watch_timeout = RegisterTimeout(USER_TIMEOUT, watch_handler);
	watch_seen = false;
	refused_mode = NoLock;
	enable_timeout_every(watch_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), interval_ms),
						 interval_ms);
}

/*
 * Forget a wait that is over.
 */
void
pgm_lock_watch_reset(void)
{
	watch_seen = false;
}

void
pgm_lock_watch_end(void)
{
	disable_timeout(watch_timeout, false);
}

/*
 * The lock that the last statement under watch waited for, or that was refused
 * last.  Returns false if there is none.
 */
bool
pgm_lock_refused(LOCKTAG *tag, LOCKMODE *mode)
{
	*tag = watch_seen ? watch_tag : refused_tag;
	*mode = watch_seen ? watch_mode : refused_mode;
	return *mode != NoLock;
}

/*
 * Who is in the way of the lock that was waited for last, or NULL.
 */
char *
pgm_lock_watch_blockers(void)
{
	return watch_seen ? pgm_lock_blockers(&watch_tag, watch_mode) : NULL;
}

/* Looks in a row at which the process waited for a pin; by the timer's handler. */
static TimeoutId pin_timeout = MAX_TIMEOUTS;
static volatile sig_atomic_t pin_looks = 0;

/* Runs in the signal handler. */
static void
pin_handler(void)
{
	if (proc_exit_inprogress || MyProc == NULL)
		return;
	if (MyProc->wait_event_info != PGM_WAIT_PIN)
		pin_looks = 0;
	else if (++pin_looks >= 2)
	{
		InterruptPending = true;
		QueryCancelPending = true;
		SetLatch(MyLatch);
	}
}

/*
 * Until pgm_lock_pin_watch_end(), cancel the statement when it waits for longer
 * than that, at most twice as long, for others to let go of a page.  An open
 * cursor can hold one for ever, and the server does not see a deadlock there.
 */
void
pgm_lock_pin_watch_begin(int interval_ms)
{
	if (pin_timeout == MAX_TIMEOUTS)
		pin_timeout = RegisterTimeout(USER_TIMEOUT, pin_handler);
	pin_looks = 0;
	enable_timeout_every(pin_timeout,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), interval_ms),
						 interval_ms);
}

void
pgm_lock_pin_watch_end(void)
{
	if (pin_timeout != MAX_TIMEOUTS)
		disable_timeout(pin_timeout, false);
}

/*
 * Was the last statement under watch cancelled for that?
 */
bool
pgm_lock_pin_watch_fired(void)
{
	return pin_looks >= 2;
}
