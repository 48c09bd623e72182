/*-------------------------------------------------------------------------
 *
 * query.h
 *	  Prepared queries on the extension's own tables.
 *
 * IDENTIFICATION
 *	  src/base/query.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_QUERY_H
#define PGM_QUERY_H

#include "executor/spi.h"

#include "base/extension.h"

#define PGM_QUERY_MAX_ARGS	40

/*
 * A query, planned at its first use and kept for the life of the session.  To
 * be declared static.
 */
typedef struct PgmQuery
{
	const char *sql;
	int			expected;		/* SPI result code */
	int			nargs;
	Oid			types[PGM_QUERY_MAX_ARGS];
	SPIPlanPtr	plan;
} PgmQuery;

/* One use of SPI as the extension's owner. */
typedef struct PgmQueryScope
{
	PgmOwnerScope owner;
	MemoryContext caller;		/* where results are to be copied */
} PgmQueryScope;

extern void pgm_query_begin(PgmQueryScope *scope);
extern void pgm_query_run(PgmQuery *query, Datum *values, const char *nulls);
extern void pgm_query_run_latest(PgmQuery *query, Datum *values, const char *nulls);
extern void pgm_query_end(PgmQueryScope *scope);
extern void pgm_query_run_alone(PgmQuery *query, Datum *values, const char *nulls);
extern bool pgm_query_finds(PgmQuery *query, Datum *values);

extern char *pgm_query_text(int row, int column);
extern Datum pgm_query_datum(int row, int column, bool *isnull);
extern int64 pgm_query_int64(int row, int column, int64 if_null);
extern int	pgm_query_int(int row, int column, int if_null);
extern double pgm_query_float(int row, int column, double if_null);
extern bool pgm_query_bool(int row, int column);
extern Oid	pgm_query_oid(int row, int column);
extern int64 pgm_query_time(int row, int column);
extern List *pgm_query_strings(int row, int column);

extern void pgm_query_set_text(Datum *values, char *nulls, int i, const char *value);

#endif							/* PGM_QUERY_H */
