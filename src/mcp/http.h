/*
 * mcp/http.h
 *		The HTTP request that brought a message, and the response to it.
 */
#ifndef CRM_MCP_HTTP_H
#define CRM_MCP_HTTP_H

/* Registers crm.mcp_allowed_origins; called once, when the module is loaded. */
extern void crm_mcp_define_settings(void);

/* Whether the message came by HTTP. */
extern bool crm_mcp_over_http(void);

/* A header of the request (its name in lower case), NULL if there is none. */
extern char *crm_mcp_header(const char *name);

/* Whether the header's value, which may be encoded, is the given one. */
extern bool crm_mcp_header_is(const char *header, const char *value);

/* Whether the request's Origin, if it has one, is in crm.mcp_allowed_origins. */
extern bool crm_mcp_origin_allowed(void);

extern void crm_mcp_set_status(int status);
extern void crm_mcp_add_response_header(const char *name, const char *value);
extern void crm_mcp_set_content_type(bool may_be_stream);

#endif							/* CRM_MCP_HTTP_H */
