/*-------------------------------------------------------------------------
 *
 * args.c
 *	  Arguments and results of SQL-callable functions.
 *
 * The functions are not strict: a NULL that returned NULL would look like
 * success to a script.  Every argument is asked for by name here, and a NULL or
 * an empty string gets an error that names it.
 *
 * IDENTIFICATION
 *	  src/base/args.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/args.h"

/*
 * Guard against a library that is newer than the SQL objects, or older.
 */
void
pgm_args_check_count(FunctionCallInfo fcinfo, int expected)
{
	if (PG_NARGS() != expected)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the library of extension \"pgmigrate\" is of another version than its SQL objects"),
				 errhint("Use ALTER EXTENSION pgmigrate UPDATE.")));
}

void
pgm_args_not_null(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

/*
 * A regclass argument that must be there; there may be no relation of that OID.
 */
Oid
pgm_args_relation(FunctionCallInfo fcinfo, int n, const char *name)
{
	pgm_args_not_null(fcinfo, n, name);
	return PG_GETARG_OID(n);
}

/*
 * A name argument that must be there, as a C string.
 */
char *
pgm_args_name(FunctionCallInfo fcinfo, int n, const char *name)
{
	pgm_args_not_null(fcinfo, n, name);
	return pstrdup(NameStr(*PG_GETARG_NAME(n)));
}

/*
 * A text argument that must be there, as a C string.
 */
char *
pgm_args_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	char	   *value;

	pgm_args_not_null(fcinfo, n, name);
	value = text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", name)));
	return value;
}

/*
 * The same for one that may be null, but not empty; NULL then.
 */
char *
pgm_args_optional_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_ARGISNULL(n) ? NULL : pgm_args_text(fcinfo, n, name);
}

/*
 * A text[] argument whose elements must be there, as a list of C strings.
 */
List *
pgm_args_name_list(FunctionCallInfo fcinfo, int n, const char *name)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(n);

	if (ARR_NDIM(array) > 1 || array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a list of names without nulls", name)));
	return pgm_args_string_list(PointerGetDatum(array));
}

/*
 * A list of C strings as a text[].
 */
Datum
pgm_args_text_array(List *strings)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(strings), 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, strings)
		values[n++] = CStringGetTextDatum((char *) lfirst(lc));
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * And back.
 */
List *
pgm_args_string_list(Datum array)
{
	Datum	   *values;
	int			n;
	List	   *result = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, NULL, &n);
	for (int i = 0; i < n; i++)
		result = lappend(result, TextDatumGetCString(values[i]));
	return result;
}

/*
 * Append the row (name, result) to a function's materialized result.
 */
void
pgm_args_put_result(FunctionCallInfo fcinfo, const char *name, const char *result)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(result);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
