/*
 * database.h
 *		The connection through which messages are answered.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <stdbool.h>

#include <libpq-fe.h>

typedef struct Database
{
	const char *host;			/* NULL: as libpq finds it */
	const char *port;
	const char *user;
	const char *dbname;			/* or a connection string */
	const char *schema;
	const char *role;			/* NULL: the user's own */
	const char *claims;			/* request.jwt.claims, NULL: none */
	PGconn	   *conn;			/* NULL: not connected */
	char	   *query;			/* calls mcp() of the schema */
} Database;

/* Writes a line to the log, which is standard error. */
extern void log_line(const char *format,...) __attribute__((format(printf, 1, 2)));

/*
 * Connects unless there is an open connection.  On failure returns false and the
 * reason, which the caller frees.
 */
extern bool database_ready(Database *database, char **problem);
extern void database_close(Database *database);

/* Sends a message to mcp; false if that failed. */
extern bool database_send(Database *database, const char *message);

/* Asks the server to cancel the running query. */
extern void database_cancel(void);

/* A signal handler: cancels the running query and ends the program. */
extern void database_abandon(int signal);

#endif							/* DATABASE_H */
