/*-------------------------------------------------------------------------
 *
 * script.h
 *	  What a migration's script says.
 *
 * IDENTIFICATION
 *	  src/script/script.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGM_SCRIPT_H
#define PGM_SCRIPT_H

#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "parser/scanner.h"

#include "base/types.h"

typedef enum PgmPart
{
	PGM_PART_UP,
	PGM_PART_DOWN,
	PGM_PART_VERIFY,
	PGM_PART_CHECK
} PgmPart;

#define PGM_PART_COUNT	(PGM_PART_CHECK + 1)

typedef enum PgmMode
{
	PGM_MODE_AUTO,				/* as the plan says */
	PGM_MODE_ATOMIC,			/* in the caller's transaction or not at all */
	PGM_MODE_ONLINE				/* step by step, by a worker */
} PgmMode;

/* Where a part stands in the text, in bytes. */
typedef struct PgmSpan
{
	bool		present;
	int			start;
	int			end;
} PgmSpan;

/* A script after its markers were read.  Strings live with the struct. */
typedef struct PgmScript
{
	const char *name;			/* of the migration, NULL for a compensation */
	const char *sql;
	int64		run;			/* that it is read for, 0 if none */
	bool		conforming_strings; /* how its string literals are read */
	PgmKind		kind;
	PgmMode		mode;
	char	   *description;	/* or NULL */
	List	   *requires;		/* of char * */
	List	   *conflicts;		/* of char * */
	PgmSpan		parts[PGM_PART_COUNT];
} PgmScript;

typedef struct PgmStatement
{
	int			number;			/* in its part, from 1 */
	int			line;			/* in the script, from 1 */
	int			location;		/* in the script, in bytes */
	int			length;
	const char *source;			/* text of its part, to which raw refers */
	RawStmt    *raw;
} PgmStatement;

/* Who reports an error, for pgm_script_error_context(). */
typedef struct PgmScriptFrame
{
	const PgmScript *script;
	PgmPart		part;
	int			base;			/* where in the script the parsed text begins */
	const PgmStatement *statement;	/* or NULL while the script is read */
	bool		confined;		/* is it kept from becoming another user? */
} PgmScriptFrame;

/* token.c */
typedef struct PgmToken
{
	int			start;
	int			end;
	const char *word;			/* the name, key word or string that it is, or
								 * NULL */
} PgmToken;

typedef struct PgmTokens
{
	core_yyscan_t scanner;
	core_yy_extra_type extra;
} PgmTokens;

extern void pgm_tokens_begin(PgmTokens *tokens, const char *sql, bool conforming_strings);
extern bool pgm_tokens_next(PgmTokens *tokens, PgmToken *token);
extern void pgm_tokens_end(PgmTokens *tokens);
extern List *pgm_tokens_words(const char *sql, bool conforming_strings);
extern int	pgm_tokens_count_table(List *words, const char *table);
extern int	pgm_tokens_skip_comment(const char *sql, int pos, int end);

/* reader.c */
extern PgmScript *pgm_script_read(const char *name, const char *sql, bool conforming_strings);

/* split.c */
extern List *pgm_script_statements(const PgmScript *script, PgmPart part);

/* position.c */
extern const char *pgm_script_part_name(PgmPart part);
extern char *pgm_script_subject(const PgmScript *script);
extern int	pgm_script_line(const char *sql, int offset);
extern int	pgm_script_errposition(const char *sql, int offset);
extern void pgm_script_error_context(void *arg);

/* compare.c */
extern bool pgm_script_has_name(List *names, const char *name);
extern bool pgm_script_same(const PgmScript *a, const PgmScript *b);

/* source.c */
extern char *pgm_source_checksum(const char *data, int length);
extern char *pgm_source_decode(const char *name, const char *data, int length);

/* name.c */
extern int	pgm_name_fault(const char *name);
extern void pgm_name_check(const char *name, const char *what);
extern int	pgm_name_compare(const char *a, const char *b);

#endif							/* PGM_SCRIPT_H */
