/*-------------------------------------------------------------------------
 *
 * args.h
 *	  Arguments and results of SQL-callable functions.
 *
 * IDENTIFICATION
 *	  src/base/args.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_ARGS_H
#define PGM_ARGS_H

#include "fmgr.h"
#include "nodes/pg_list.h"

extern void pgm_args_check_count(FunctionCallInfo fcinfo, int expected);
extern void pgm_args_not_null(FunctionCallInfo fcinfo, int n, const char *name);
extern Oid	pgm_args_relation(FunctionCallInfo fcinfo, int n, const char *name);
extern char *pgm_args_name(FunctionCallInfo fcinfo, int n, const char *name);
extern char *pgm_args_text(FunctionCallInfo fcinfo, int n, const char *name);
extern char *pgm_args_optional_text(FunctionCallInfo fcinfo, int n, const char *name);

extern List *pgm_args_name_list(FunctionCallInfo fcinfo, int n, const char *name);

extern Datum pgm_args_text_array(List *strings);
extern List *pgm_args_string_list(Datum array);
extern void pgm_args_put_result(FunctionCallInfo fcinfo, const char *name,
								const char *result);

#endif							/* PGM_ARGS_H */
