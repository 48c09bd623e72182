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

typedef enum PgmOutOfOrder
{
	PGM_OUT_OF_ORDER_ERROR,
	PGM_OUT_OF_ORDER_WARN,
	PGM_OUT_OF_ORDER_ALLOW
} PgmOutOfOrder;

extern int	pgm_lock_timeout;
extern int	pgm_lock_retries;
extern int	pgm_out_of_order;
extern bool pgm_verify_on_apply;

extern void pgm_guc_define(void);
extern void pgm_guc_pin_search_path(void);

#endif							/* PGM_GUC_H */
