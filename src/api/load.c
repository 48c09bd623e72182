/*-------------------------------------------------------------------------
 *
 * load.c
 *	  migrate.load(): register the files of a directory of the server
 *
 * IDENTIFICATION
 *	  src/api/load.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/memutils.h"

#include "api/api.h"
#include "base/args.h"
#include "script/script.h"

PG_FUNCTION_INFO_V1(pgmigrate_load);

#define SUFFIX	".sql"

/*
 * Contents of a file.
 */
static StringInfo
read_file(const char *path)
{
	FILE	   *file = AllocateFile(path, PG_BINARY_R);
	StringInfo	contents = makeStringInfo();
	char		buffer[BLCKSZ];
	size_t		n;

	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" for reading: %m", path)));
	while ((n = fread(buffer, 1, sizeof(buffer), file)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		appendBinaryStringInfo(contents, buffer, n);
	}
	if (ferror(file))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	FreeFile(file);
	return contents;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return pgm_name_compare((char *) lfirst(a), (char *) lfirst(b));
}

/*
 * Names of the migrations whose files are in a directory, in order.
 */
static List *
list_migrations(const char *directory)
{
	DIR		   *dir = AllocateDir(directory);
	struct dirent *entry;
	List	   *names = NIL;

	while ((entry = ReadDir(dir, directory)) != NULL)
	{
		int			length = (int) strlen(entry->d_name) - (int) strlen(SUFFIX);
		struct stat st;

		if (length < 0 || strcmp(entry->d_name + length, SUFFIX) != 0 ||
			entry->d_name[0] == '.')
			continue;
		if (stat(psprintf("%s/%s", directory, entry->d_name), &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		(void) pg_verifymbstr(entry->d_name, length, false);
		names = lappend(names, pnstrdup(entry->d_name, length));
	}
	FreeDir(dir);
	list_sort(names, compare_names);
	return names;
}

static const char *
register_file(const char *name, const char *path)
{
	StringInfo	bytes = read_file(path);

	pgm_name_check(name, "file");
	if (bytes->len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("file \"%s\" is empty", path)));
	return pgm_register_script(name, pgm_source_decode(name, bytes->data, bytes->len),
							   pgm_source_checksum(bytes->data, bytes->len),
							   NULL, path);
}

/*
 * migrate.load(directory text)
 */
Datum
pgmigrate_load(PG_FUNCTION_ARGS)
{
	char	   *directory;
	MemoryContext work;
	ListCell   *lc;

	pgm_args_check_count(fcinfo, 1);
	PreventCommandIfReadOnly("migrate.load()");
	directory = pgm_args_text(fcinfo, 0, "directory");
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read files of the server"),
				 errdetail("Only roles with privileges of the role \"%s\" can.", "pg_read_server_files"),
				 errhint("From a client, use psql's \\lo_import and migrate.register().")));
	canonicalize_path(directory);
	if (!is_absolute_path(directory))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("relative path not allowed: \"%s\"", directory),
				 errhint("Give the absolute path of a directory of the server.")));

	InitMaterializedSRF(fcinfo, 0);
	work = AllocSetContextCreate(CurrentMemoryContext, "pgmigrate load", ALLOCSET_DEFAULT_SIZES);
	foreach(lc, list_migrations(directory))
	{
		char	   *name = (char *) lfirst(lc);
		MemoryContext caller = MemoryContextSwitchTo(work);
		const char *result = register_file(name, psprintf("%s/%s" SUFFIX, directory, name));

		pgm_args_put_result(fcinfo, name, result);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(work);
	}
	MemoryContextDelete(work);
	return (Datum) 0;
}
