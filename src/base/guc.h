/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  The extension's settings.
 *
 * IDENTIFICATION
 *	  src/base/guc.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_GUC_H
#define PGM_GUC_H

#include "nodes/pg_list.h"

typedef enum PgmOutOfOrder
{
	PGM_OUT_OF_ORDER_ERROR,
	PGM_OUT_OF_ORDER_WARN,
	PGM_OUT_OF_ORDER_ALLOW
} PgmOutOfOrder;

extern bool pgm_cancel_blockers;
extern int	pgm_cancel_idle_after;
extern int	pgm_lock_timeout;
extern int	pgm_lock_retries;
extern int	pgm_online_duty;
extern int	pgm_online_threshold;
extern int	pgm_out_of_order;
extern bool pgm_record_failures;
extern bool pgm_verify_on_apply;

extern int	pgm_backfill_batch_ms;
extern int	pgm_backfill_batch_rows;
extern int	pgm_backfill_courtesy;
extern int	pgm_backfill_duty;
extern int	pgm_backfill_lanes;
extern int	pgm_backfill_max_active;
extern int	pgm_backfill_max_archive_files;
extern int	pgm_backfill_max_bad_rows;
extern int	pgm_backfill_max_lag;
extern int	pgm_backfill_max_lag_size;
extern int	pgm_backfill_max_slot_size;
extern int	pgm_backfill_max_transaction_age;
extern int	pgm_backfill_max_wal_rate;
extern int	pgm_backfill_max_workers;
extern double pgm_backfill_min_free_disk;
extern int	pgm_backfill_nice;
extern bool pgm_backfill_packing;
extern bool pgm_backfill_yield_to_vacuum;

extern int	pgm_contract_quiet;

extern void pgm_guc_define(void);
extern void pgm_guc_pin_search_path(void);
extern void pgm_guc_pin_meaning(void);
extern void pgm_guc_see_all_rows(void);
extern List *pgm_guc_save_meaning(void);
extern bool pgm_guc_has_meaning(List *settings);
extern void pgm_guc_restore_meaning(List *settings);
extern List *pgm_guc_save_for_run(void);
extern void pgm_guc_set_for_session(List *settings);

#endif							/* PGM_GUC_H */
