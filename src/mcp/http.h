/*
 * mcp/http.h
 *		The HTTP request that brought a message, and the response to it.
 */
#ifndef CRM_MCP_HTTP_H
#define CRM_MCP_HTTP_H

extern void crm_mcp_define_settings(void);
extern bool crm_mcp_over_http(void);

/* A header of the request (its name in lower case), NULL if there is none. */
extern char *crm_mcp_header(const char *name);
extern bool crm_mcp_origin_allowed(void);

/* Whether the header's value, which may be encoded, is the given one. */
extern bool crm_mcp_header_is(const char *header, const char *value);
extern void crm_mcp_set_status(int status);
extern void crm_mcp_add_response_header(const char *name, const char *value);
extern void crm_mcp_set_content_type(void);

#endif							/* CRM_MCP_HTTP_H */
