/*-------------------------------------------------------------------------
 *
 * source.c
 *	  From the bytes of a file to a text of the database.
 *
 * A file is UTF-8, whatever the client's encoding is, and its checksum is taken
 * over its bytes, so that it equals what sha256sum prints for it.
 *
 * IDENTIFICATION
 *	  src/script/source.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "base/compat.h"
#include "script/script.h"

/*
 * SHA-256 in hexadecimal, palloc'd.
 */
char *
pgm_source_checksum(const char *data, int length)
{
	bytea	   *input = (bytea *) cstring_to_text_with_len(data, length);
	bytea	   *digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(input)));
	int			size = VARSIZE_ANY_EXHDR(digest);
	char	   *hex = palloc(size * 2 + 1);

	hex[hex_encode(VARDATA_ANY(digest), size, hex)] = '\0';
	return hex;
}

static void
source_error_context(void *arg)
{
	errcontext("script of migration \"%s\"", (const char *) arg);
}

/*
 * The text of a file's bytes, palloc'd: without a byte order mark, in the
 * database's encoding.  Throws for what is not UTF-8, with the line.
 */
char *
pgm_source_decode(const char *name, const char *data, int length)
{
	int			valid = pg_encoding_verifymbstr(PG_UTF8, data, length);
	int			skip = 0;
	ErrorContextCallback callback;
	char	   *sql;

	if (valid < length)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("script of migration \"%s\" is not valid UTF-8 on line %d",
						name, pgm_script_line(data, valid)),
				 errdetail("The byte at offset %d is 0x%02x.", valid, (unsigned char) data[valid]),
				 errhint("Save the file as UTF-8.")));

	if (length >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
		skip = 3;
	callback.callback = source_error_context;
	callback.arg = unconstify(char *, name);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	sql = pg_any_to_server(pnstrdup(data + skip, length - skip), length - skip, PG_UTF8);
	error_context_stack = callback.previous;
	return sql;
}
