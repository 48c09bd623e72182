/*-------------------------------------------------------------------------
 *
 * wait.h
 *	  Waiting, in one place.
 *
 * IDENTIFICATION
 *	  src/base/wait.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_WAIT_H
#define PGM_WAIT_H

extern long pgm_wait_backoff_ms(int failures, double random);
extern void pgm_wait_ms(long ms);
extern void pgm_wait_latch_ms(long ms);

#endif							/* PGM_WAIT_H */
