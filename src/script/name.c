/*-------------------------------------------------------------------------
 *
 * name.c
 *	  Names of migrations: which are allowed, and how they sort.
 *
 * Pure but for the one function that throws.
 *
 * IDENTIFICATION
 *	  src/script/name.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "script/script.h"

#define MAX_NAME_LENGTH 200

#define is_digit(c)	((c) >= '0' && (c) <= '9')

static bool
name_byte_allowed(unsigned char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
		IS_HIGHBIT_SET(c))
		return true;
	return !first && (c == '-' || c == '.' || c == '+');
}

/*
 * Offset of the first byte that a name must not have, or -1.  A name that is
 * too long is at fault where it should have ended.
 */
int
pgm_name_fault(const char *name)
{
	for (int i = 0; name[i] != '\0'; i++)
	{
		if (i >= MAX_NAME_LENGTH || !name_byte_allowed((unsigned char) name[i], i == 0))
			return i;
	}
	return -1;
}

/*
 * Throw unless a name is allowed; "what" says whose it is.
 */
void
pgm_name_check(const char *name, const char *what)
{
	int			fault = pgm_name_fault(name);

	if (fault < 0)
		return;
	if (fault >= MAX_NAME_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("%s name is too long", what),
				 errdetail("It has %zu bytes, and the limit is %d.", strlen(name), MAX_NAME_LENGTH)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("invalid character in %s name \"%s\" at position %d",
					what, name, pg_mbstrlen_with_len(name, fault) + 1),
			 errhint("A name begins with a letter, a digit or an underscore, and has besides these only \"-\", \".\" and \"+\", as in \"2025-09-25-wallet-add-holds\".")));
}

/*
 * Compare two runs of digits as numbers of any length; moves both past theirs.
 */
static int
compare_numbers(const char **a, const char **b)
{
	const char *x = *a;
	const char *y = *b;
	size_t		xlen;
	size_t		ylen;
	int			cmp;

	while (*x == '0')
		x++;
	while (*y == '0')
		y++;
	xlen = strspn(x, "0123456789");
	ylen = strspn(y, "0123456789");
	*a = x + xlen;
	*b = y + ylen;
	if (xlen != ylen)
		return xlen < ylen ? -1 : 1;
	cmp = memcmp(x, y, xlen);
	return cmp;
}

/*
 * Order of two names: byte by byte, but runs of digits as numbers, so that
 * V2__x comes before V10__x.  Names that differ in leading zeros only compare
 * byte by byte in the end, so that no two names are equal.
 */
int
pgm_name_compare(const char *a, const char *b)
{
	const char *x = a;
	const char *y = b;

	while (*x != '\0' && *y != '\0')
	{
		if (is_digit(*x) && is_digit(*y))
		{
			int			cmp = compare_numbers(&x, &y);

			if (cmp != 0)
				return cmp;
		}
		else if (*x != *y)
			return (unsigned char) *x < (unsigned char) *y ? -1 : 1;
		else
		{
			x++;
			y++;
		}
	}
	if (*x != *y)
		return *x == '\0' ? -1 : 1;
	return strcmp(a, b);
}
