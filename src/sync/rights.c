/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  The rights on columns, for others that are the same.
 *
 * IDENTIFICATION
 *	  src/sync/rights.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "sync/version.h"

/*
 * The GRANTs.  "$1" is the table, "$2" and "$3" are the columns, by both names, "$4"
 * is what has the others, "$5" its schema if that is new, and with it the whole.
 */
static const char *const grants_sql =
"WITH acl AS (SELECT a.*, '' AS columns, c.relowner AS owner"
"  FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a"
"  WHERE c.oid OPERATOR(pg_catalog.=) $1 AND $5 IS NOT NULL"
" UNION ALL SELECT a.*, pg_catalog.format('(%I)', s.shown), c.relowner"
"  FROM pg_catalog.pg_class c"
"  JOIN pg_catalog.pg_attribute t ON t.attrelid OPERATOR(pg_catalog.=) c.oid"
"  JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) s (name, shown) ON s.name OPERATOR(pg_catalog.=) t.attname::text,"
"  pg_catalog.aclexplode(t.attacl) a WHERE c.oid OPERATOR(pg_catalog.=) $1),"
" named AS (SELECT acl.*, CASE WHEN grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'"
"   ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END AS role FROM acl"
"  WHERE grantee OPERATOR(pg_catalog.<>) owner"
"  AND privilege_type OPERATOR(pg_catalog.=) ANY ('{SELECT,INSERT,UPDATE,DELETE}'))"
" SELECT pg_catalog.format('GRANT %s %s ON %s TO %s%s', privilege_type, columns, $4, role,"
"  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END) FROM named"
" UNION ALL SELECT DISTINCT pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %s', $5, role)"
"  FROM named WHERE $5 IS NOT NULL";

/*
 * Give those who have rights on these columns of a table the same on the others.
 * They are columns of "object", a name as it stands in a statement.  With "schema",
 * that is what shows the table there, and rights on the table and the use of the
 * schema are given, too.  The caller is connected to SPI.
 */
void
pgm_sync_copy_rights(Oid relid, List *columns, const char *object, const char *schema)
{
	Oid			types[] = {OIDOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID, TEXTOID};
	Datum		values[5];
	char		nulls[6] = "     ";
	Datum	   *from = palloc(sizeof(Datum) * Max(list_length(columns), 1));
	Datum	   *to = palloc(sizeof(Datum) * Max(list_length(columns), 1));
	List	   *commands = NIL;
	ListCell   *lc;
	int			n = 0;
	const bool	read_only = false;

	foreach(lc, columns)
	{
		from[n] = CStringGetTextDatum(((PgmShownColumn *) lfirst(lc))->column);
		to[n++] = CStringGetTextDatum(((PgmShownColumn *) lfirst(lc))->shown);
	}
	values[0] = ObjectIdGetDatum(relid);
	values[1] = PointerGetDatum(construct_array(from, n, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(to, n, TEXTOID, -1, false, TYPALIGN_INT));
	values[3] = CStringGetTextDatum(object);
	values[4] = schema == NULL ? (Datum) 0 : CStringGetTextDatum(schema);
	nulls[4] = schema == NULL ? 'n' : ' ';
	if (SPI_execute_with_args(grants_sql, lengthof(types), types, values, nulls, read_only,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the rights on a table");
	for (uint64 i = 0; i < SPI_processed; i++)
		commands = lappend(commands, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	foreach(lc, commands)
	{
		if (SPI_execute((char *) lfirst(lc), read_only, 0) != SPI_OK_UTILITY)
			elog(ERROR, "unexpected result of command: %s", (char *) lfirst(lc));
	}
}
