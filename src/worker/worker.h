/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  Background processes.
 *
 * IDENTIFICATION
 *	  src/worker/worker.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_WORKER_ROOM_H
#define PGM_WORKER_ROOM_H

#include "fmgr.h"

typedef void (*PgmTransactionBody) (void *arg);

/* session.c */
extern void pgm_session_begin(Oid database, Oid role, bool pinned);
extern void pgm_session_reload(void);
extern void pgm_session_be_nice(void);
extern void pgm_session_be_run(void);
extern void pgm_session_limit_locks(int ms);
extern ErrorData *pgm_session_run(PgmTransactionBody body, void *arg, MemoryContext cxt);
extern ErrorData *pgm_session_run_untimed(PgmTransactionBody body, void *arg, MemoryContext cxt);
extern ErrorData *pgm_session_run_bare(PgmTransactionBody body, void *arg, MemoryContext cxt);
extern ErrorData *pgm_session_execute(const char *sql, MemoryContext cxt);

/* dispatch.c */
extern void pgm_dispatch(void *arg);
extern void pgm_dispatch_but(int64 id);

/* launcher.c */
extern void pgm_launcher_register(void);

extern PGDLLEXPORT void pgmigrate_launcher_main(Datum arg);
extern PGDLLEXPORT void pgmigrate_starter_main(Datum arg);
extern PGDLLEXPORT void pgmigrate_lane_main(Datum arg);
extern PGDLLEXPORT void pgmigrate_run_main(Datum arg);
extern PGDLLEXPORT void pgmigrate_recorder_main(Datum arg);

#endif							/* PGM_WORKER_ROOM_H */
