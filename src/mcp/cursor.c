/*
 * mcp/cursor.c
 *		Cursors of paged lists.
 *
 * A cursor holds all that the next page needs: the server keeps no state
 * between two requests.
 */
#include "postgres.h"

#include "common/base64.h"

#include "mcp/cursor.h"

char *
crm_mcp_encode_cursor(const void *key, int length)
{
	int			size = pg_b64_enc_len(length) + 1;
	char	   *cursor = palloc(size);
	int			encoded = pg_b64_encode(key, length, cursor, size);

	if (encoded < 0)
		elog(ERROR, "could not encode a cursor");
	cursor[encoded] = '\0';
	return cursor;
}

char *
crm_mcp_decode_cursor(const char *cursor, int *length)
{
	int			size = pg_b64_dec_len(strlen(cursor)) + 1;
	char	   *key = palloc(size);

	*length = pg_b64_decode(cursor, strlen(cursor), (void *) key, size);
	if (*length <= 0)
		return NULL;
	key[*length] = '\0';
	return key;
}
