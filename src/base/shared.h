/*-------------------------------------------------------------------------
 *
 * shared.h
 *	  What launcher and workers share, where the library is preloaded.
 *
 * IDENTIFICATION
 *	  src/base/shared.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SHARED_H
#define PGM_SHARED_H

#include "base/worker.h"

extern void pgm_shared_request(void);
extern bool pgm_shared_is_there(void);

extern void pgm_shared_set_launcher(void);
extern bool pgm_shared_has_launcher(void);
extern void pgm_shared_wake_launcher(void);

extern void pgm_shared_put_next(const PgmWorkerArgs *args);
extern bool pgm_shared_take_next(PgmWorkerArgs *args);

extern void pgm_shared_set_pending(Oid database, bool pending);
extern bool pgm_shared_is_pending(Oid database);

#endif							/* PGM_SHARED_H */
