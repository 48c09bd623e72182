/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  Definition of the extension's settings.
 *
 * Those about a run are for the session that runs a migration, and none of them
 * can widen anybody's rights, so every user may set them.  Those about backfills
 * are read by the workers, in whose sessions ALTER SYSTEM, ALTER DATABASE and
 * ALTER ROLE set them; those that guard the server as a whole are set for all of
 * it.
 *
 * IDENTIFICATION
 *	  src/base/guc.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "base/guc.h"

int			pgm_lock_timeout = 50;
bool		pgm_cancel_blockers = false;
int			pgm_cancel_idle_after = 60000;
int			pgm_lock_retries = 60;
int			pgm_online_duty = 50;
int			pgm_online_threshold = 8192;
int			pgm_out_of_order = PGM_OUT_OF_ORDER_ERROR;
bool		pgm_record_failures = true;
bool		pgm_verify_on_apply = true;

int			pgm_backfill_batch_ms = 100;
int			pgm_backfill_batch_rows = 2000;
int			pgm_backfill_courtesy = 8;
int			pgm_backfill_duty = 100;
int			pgm_backfill_lanes = 1;
int			pgm_backfill_max_active = 0;
int			pgm_backfill_max_archive_files = 42;
int			pgm_backfill_max_bad_rows = 0;
int			pgm_backfill_max_lag = 10000;
int			pgm_backfill_max_lag_size = 1024;
int			pgm_backfill_max_slot_size = 10240;
int			pgm_backfill_max_transaction_age = 0;
int			pgm_backfill_max_wal_rate = 0;
int			pgm_backfill_max_workers = 2;
double		pgm_backfill_min_free_disk = 5;
int			pgm_backfill_nice = 10;
bool		pgm_backfill_packing = true;
bool		pgm_backfill_yield_to_vacuum = false;

int			pgm_contract_quiet = 3600;

static const struct config_enum_entry out_of_order_options[] = {
	{"error", PGM_OUT_OF_ORDER_ERROR, false},
	{"warn", PGM_OUT_OF_ORDER_WARN, false},
	{"allow", PGM_OUT_OF_ORDER_ALLOW, false},
	{NULL, 0, false}
};

static void
define_lock_settings(void)
{
	DefineCustomBoolVariable("pgmigrate.cancel_blockers",
							 "Ends autovacuum and idle transactions that are in the way of an online run.",
							 "Only those that the role of the run may end.",
							 &pgm_cancel_blockers,
							 false,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.cancel_idle_after",
							"Sets how long a transaction must have been idle to be ended by pgmigrate.cancel_blockers.",
							"0 means never.",
							&pgm_cancel_idle_after,
							60000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.lock_retries",
							"Sets how often a run is tried again that could not get a lock.",
							"Between two tries all its locks are released. 0 means one try only.",
							&pgm_lock_retries,
							60, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.lock_timeout",
							"Sets how long a statement may stand in line for a lock that could not be foreseen.",
							"Foreseen locks are taken without standing in line. 0 leaves lock_timeout as it is.",
							&pgm_lock_timeout,
							50, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
}

static void
define_run_settings(void)
{
	DefineCustomEnumVariable("pgmigrate.out_of_order",
							 "Sets what to do with a pending migration that sorts before an applied one.",
							 NULL,
							 &pgm_out_of_order,
							 PGM_OUT_OF_ORDER_ERROR, out_of_order_options,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.online_duty",
							"Sets the percentage of the time that a backfill of an online run may work.",
							"Other backfills make way for sessions that write.",
							&pgm_online_duty,
							50, 1, 100,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.online_threshold",
							"Sets the size of a table from which on a statement that holds others up runs online.",
							"Smaller tables are changed in the caller's transaction.",
							&pgm_online_threshold,
							8192, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomBoolVariable("pgmigrate.record_failures",
							 "Records runs that have failed, by a worker.",
							 "What the transaction of the run wrote is rolled back with it.",
							 &pgm_record_failures,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);

	DefineCustomBoolVariable("pgmigrate.verify_on_apply",
							 "Runs a migration's verify part right after its up part.",
							 "A migration that does not pass is not applied.",
							 &pgm_verify_on_apply,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
}

static void
define_expand_settings(void)
{
	DefineCustomIntVariable("pgmigrate.contract_quiet",
							"Sets how long an old column must not have been written to be dropped.",
							"0 means that migrate.contract() does not look who wrote it.",
							&pgm_contract_quiet,
							3600, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_S,
							NULL, NULL, NULL);
}

static void
define_batch_settings(void)
{
	DefineCustomIntVariable("pgmigrate.backfill_batch_ms",
							"Sets how long a batch of a backfill should take at most.",
							"Batches are sized by the time that rows took.",
							&pgm_backfill_batch_ms,
							100, 1, 60000,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_batch_rows",
							"Sets the most rows of a batch.",
							"A batch starts with 1000 at most and grows while it is fast enough.",
							&pgm_backfill_batch_rows,
							2000, 1, 1000000,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_courtesy",
							"Sets the percentage of the time that a lane may work while other sessions write.",
							"Its batches are short then, too. 100 takes no notice of other sessions.",
							&pgm_backfill_courtesy,
							8, 1, 100,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_duty",
							"Sets the percentage of the time that a lane may work.",
							"100 means without a rest.",
							&pgm_backfill_duty,
							100, 1, 100,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_lanes",
							"Sets how many workers a backfill may have at a time.",
							NULL,
							&pgm_backfill_lanes,
							1, 1, 64,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_bad_rows",
							"Sets how many rows may fail before the backfill does.",
							"Rows that fail are put aside. 0 means that the first one ends the backfill.",
							&pgm_backfill_max_bad_rows,
							0, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_workers",
							"Sets how many workers all backfills of the server may have at a time.",
							NULL,
							&pgm_backfill_max_workers,
							2, 1, 64,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_nice",
							"Sets the nice value of the processes that run backfills.",
							"The operating system gives them the processor after others. 0 treats them as all.",
							&pgm_backfill_nice,
							10, 0, 19,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	DefineCustomBoolVariable("pgmigrate.backfill_packing",
							 "Keeps new row versions on the pages of the old ones where that can be.",
							 "Where it cannot, a backfill says so.",
							 &pgm_backfill_packing,
							 true,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
}

/*
 * What guards the server is not for the submitter of a backfill to widen; a job
 * can have limits of its own, which are seen in its row.
 */
static void
define_limit_settings(void)
{
	DefineCustomIntVariable("pgmigrate.backfill_max_active",
							"Sets the number of active sessions at which backfills hold.",
							"Their own workers do not count. 0 means no limit.",
							&pgm_backfill_max_active,
							0, 0, INT_MAX,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_archive_files",
							"Sets the number of WAL files not archived yet at which backfills hold.",
							"0 means no limit.",
							&pgm_backfill_max_archive_files,
							42, 0, INT_MAX,
							PGC_SIGHUP, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_lag",
							"Sets how far a standby may be behind, in time.",
							"A lag that cannot be told holds too. 0 means no limit.",
							&pgm_backfill_max_lag,
							10000, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_lag_size",
							"Sets how far a standby may be behind, in WAL.",
							"0 means no limit.",
							&pgm_backfill_max_lag_size,
							1024, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_slot_size",
							"Sets how much WAL a replication slot may keep.",
							"0 means no limit.",
							&pgm_backfill_max_slot_size,
							10240, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_transaction_age",
							"Sets the age of the oldest transaction at which backfills hold.",
							"Old transactions keep space from being reused. 0 means no limit.",
							&pgm_backfill_max_transaction_age,
							0, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("pgmigrate.backfill_max_wal_rate",
							"Sets how much WAL a backfill may write in a second.",
							"It is divided among its lanes. 0 means no limit.",
							&pgm_backfill_max_wal_rate,
							0, 0, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomRealVariable("pgmigrate.backfill_min_free_disk",
							 "Sets the percentage of free disk space at which backfills hold.",
							 "The least of data directory, WAL and tablespaces counts. 0 means no limit.",
							 &pgm_backfill_min_free_disk,
							 5, 0, 100,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);

	DefineCustomBoolVariable("pgmigrate.backfill_yield_to_vacuum",
							 "Slows a backfill down while its table is vacuumed.",
							 NULL,
							 &pgm_backfill_yield_to_vacuum,
							 false,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
}

/*
 * Define all settings.  Called once, when the library is loaded.
 */
void
pgm_guc_define(void)
{
	define_lock_settings();
	define_run_settings();
	define_batch_settings();
	define_expand_settings();
	define_limit_settings();
	MarkGUCPrefixReserved("pgmigrate");
}

/*
 * Until the caller's GUC nest level ends, find nothing but the server's own.
 */
void
pgm_guc_pin_search_path(void)
{
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * The same, and write out and read expressions as every session does.
 */
void
pgm_guc_pin_meaning(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"}, {"DateStyle", "ISO, YMD"},
		{"IntervalStyle", "postgres"}, {"extra_float_digits", "1"}
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Until the caller's GUC nest level ends, have row security throw instead of
 * leaving out rows.
 */
void
pgm_guc_see_all_rows(void)
{
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* Settings that a text of SQL can mean something else under. */
static const char *const meaning_settings[] = {
	"search_path", "DateStyle", "IntervalStyle", "TimeZone", "array_nulls", "backslash_quote",
	"bytea_output", "default_text_search_config", "extra_float_digits", "lc_monetary",
	"lc_numeric", "lc_time", "standard_conforming_strings", "timezone_abbreviations",
	"transform_null_equals", "xmlbinary", "xmloption"
};

/*
 * These settings as they are now: names and values in turn, as char *.
 */
List *
pgm_guc_save_meaning(void)
{
	const bool	missing_ok = false;
	List	   *settings = NIL;

	for (int i = 0; i < lengthof(meaning_settings); i++)
	{
		settings = lappend(settings, pstrdup(meaning_settings[i]));
		settings = lappend(settings, GetConfigOptionByName(meaning_settings[i], NULL, missing_ok));
	}
	return settings;
}

/* Settings that a run takes along from the session that asked for it. */
static const char *const run_settings[] = {
	"pgmigrate.cancel_blockers", "pgmigrate.cancel_idle_after", "pgmigrate.contract_quiet",
	"pgmigrate.lock_timeout", "pgmigrate.online_duty", "pgmigrate.online_threshold",
	"pgmigrate.verify_on_apply"
};

/*
 * The same, and those that an online run goes by.
 */
List *
pgm_guc_save_for_run(void)
{
	const bool	missing_ok = false;
	List	   *settings = pgm_guc_save_meaning();

	for (int i = 0; i < lengthof(run_settings); i++)
	{
		settings = lappend(settings, pstrdup(run_settings[i]));
		settings = lappend(settings, GetConfigOptionByName(run_settings[i], NULL, missing_ok));
	}
	return settings;
}

/*
 * Have such settings from now on, if the transaction commits.
 */
void
pgm_guc_set_for_session(List *settings)
{
	for (int i = 0; i + 1 < list_length(settings); i += 2)
		(void) set_config_option((char *) list_nth(settings, i), (char *) list_nth(settings, i + 1),
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0, false);
}

/*
 * Are such settings what they are now?
 */
bool
pgm_guc_has_meaning(List *settings)
{
	const bool	missing_ok = true;

	for (int i = 0; i + 1 < list_length(settings); i += 2)
	{
		const char *current = GetConfigOption((char *) list_nth(settings, i), missing_ok, false);

		if (current == NULL || strcmp(current, (char *) list_nth(settings, i + 1)) != 0)
			return false;
	}
	return true;
}

/*
 * Until the caller's GUC nest level ends, have such settings again.
 */
void
pgm_guc_restore_meaning(List *settings)
{
	const bool	missing_ok = true;

	for (int i = 0; i + 1 < list_length(settings); i += 2)
	{
		const char *name = (char *) list_nth(settings, i);
		const char *value = (char *) list_nth(settings, i + 1);
		const char *current = GetConfigOption(name, missing_ok, false);

		if (current == NULL || strcmp(current, value) != 0)
			(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
	}
}
