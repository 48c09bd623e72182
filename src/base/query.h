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

#define PGM_QUERY_MAX_ARGS	20

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

extern char *pgm_query_text(int row, int column);
extern Datum pgm_query_datum(int row, int column, bool *isnull);

#endif							/* PGM_QUERY_H */
