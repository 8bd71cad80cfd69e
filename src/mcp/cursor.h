/*
 * mcp/cursor.h
 *		Cursors of paged lists: the last key of a page, in base64.
 */
#ifndef CRM_MCP_CURSOR_H
#define CRM_MCP_CURSOR_H

extern char *crm_mcp_encode_cursor(const void *key, int length);

/* The key of a cursor, with a zero byte after it; NULL if it is not base64 or empty. */
extern char *crm_mcp_decode_cursor(const char *cursor, int *length);

#endif							/* CRM_MCP_CURSOR_H */
