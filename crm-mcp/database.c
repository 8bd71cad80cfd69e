/*
 * database.c
 *		The connection through which messages are answered.
 *
 * It is made when it is needed first, and again after it was lost.  No password
 * is asked for, as standard input belongs to the client.
 */
#include "database.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cancels the query that runs on the connection; NULL while there is no connection. */
static PGcancel *volatile canceller;

void
log_line(const char *format,...)
{
	va_list		args;

	fputs("crm-mcp: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void
log_notice(void *arg, const char *message)
{
	(void) arg;
	fprintf(stderr, "crm-mcp: %s", message);
}

/* A copy of one of libpq's messages, without the line end. */
static char *
copy_message(const char *message)
{
	char	   *copy = strdup(message);

	if (copy == NULL)
		abort();
	while (copy[0] != '\0' && copy[strlen(copy) - 1] == '\n')
		copy[strlen(copy) - 1] = '\0';
	return copy;
}

void
database_close(Database *database)
{
	PGcancel   *old = canceller;

	canceller = NULL;
	PQfreeCancel(old);
	PQfinish(database->conn);
	database->conn = NULL;
}

/* Runs a statement that sets up the connection. */
static bool
run(Database *database, const char *statement, const char *value)
{
	const char *values[] = {value};
	PGresult   *result = PQexecParams(database->conn, statement, value ? 1 : 0, NULL,
									  values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

/* Sets the claims and the role, and makes the query that calls mcp(). */
static bool
prepare(Database *database)
{
	char	   *schema;
	size_t		size;

	if (database->claims != NULL &&
		!run(database, "SELECT pg_catalog.set_config('request.jwt.claims', $1, false)",
			 database->claims))
		return false;
	if (database->role != NULL &&
		!run(database, "SELECT pg_catalog.set_config('role', $1, false)", database->role))
		return false;

	schema = PQescapeIdentifier(database->conn, database->schema, strlen(database->schema));
	if (schema == NULL)
		return false;
	size = strlen(schema) + 100;
	free(database->query);
	database->query = malloc(size);
	if (database->query == NULL)
		abort();
	snprintf(database->query, size, "SELECT %s.mcp($1::pg_catalog.json)", schema);
	PQfreemem(schema);
	return true;
}

static bool
connect_to(Database *database, char **problem)
{
	const char *keywords[] = {"host", "port", "user", "dbname", "client_encoding",
	"fallback_application_name", NULL};
	const char *values[] = {database->host, database->port, database->user,
	database->dbname, "UTF8", "crm-mcp", NULL};

	database->conn = PQconnectdbParams(keywords, values, 1);
	if (database->conn == NULL)
		abort();
	PQsetNoticeProcessor(database->conn, log_notice, NULL);
	if (PQstatus(database->conn) != CONNECTION_OK || !prepare(database))
	{
		*problem = copy_message(PQerrorMessage(database->conn));
		database_close(database);
		return false;
	}
	canceller = PQgetCancel(database->conn);
	log_line("connected to database \"%s\" as \"%s\"",
			 PQdb(database->conn), PQuser(database->conn));
	return true;
}

/*
 * Whether the connection is open.  To an idle client the server sends only
 * notifications, changed settings, and an error before it closes the connection.
 */
static bool
is_alive(PGconn *conn)
{
	struct pollfd input = {.fd = PQsocket(conn),.events = POLLIN};

	/*
	 * The status changes only at the end of the stream, which follows that
	 * error.
	 */
	while (PQstatus(conn) == CONNECTION_OK && poll(&input, 1, 0) > 0)
	{
		if (!PQconsumeInput(conn))
			return false;
	}
	return PQstatus(conn) == CONNECTION_OK;
}

bool
database_ready(Database *database, char **problem)
{
	if (database->conn != NULL && !is_alive(database->conn))
	{
		log_line("the connection was closed");
		database_close(database);
	}
	return database->conn != NULL || connect_to(database, problem);
}

bool
database_send(Database *database, const char *message)
{
	const char *values[] = {message};

	return PQsendQueryParams(database->conn, database->query, 1, NULL, values, NULL, NULL, 0) != 0;
}

void
database_cancel(void)
{
	char		problem[256];

	if (canceller != NULL && !PQcancel(canceller, problem, sizeof(problem)))
		log_line("could not cancel: %s", problem);
}

/* A signal handler: PQcancel() may be called in one. */
void
database_abandon(int signal)
{
	char		problem[256];

	if (canceller != NULL)
		(void) PQcancel(canceller, problem, sizeof(problem));
	_exit(128 + signal);
}
