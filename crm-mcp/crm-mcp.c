/*
 * crm-mcp.c
 *		The Model Context Protocol over standard input and output, for agents
 *		that start their servers as programs.
 *
 * Each line is a message, which the CRM's function mcp() answers.  Messages are
 * answered one after the other.  Lines that arrive meanwhile are kept for later,
 * but are searched for a message that cancels the one being answered.  Standard
 * output carries replies and nothing else.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "database.h"
#include "input.h"
#include "json_scan.h"

#define PARSE_ERROR		(-32700)
#define INVALID_REQUEST (-32600)
#define INTERNAL_ERROR	(-32603)

/* Writes a reply as one line: JSON may have line ends between its tokens. */
static void
write_reply(const char *reply)
{
	for (const char *c = reply; *c; c++)
		putchar(*c == '\n' || *c == '\r' ? ' ' : *c);
	putchar('\n');
	if (fflush(stdout) != 0)
	{
		log_line("cannot write: %s", strerror(errno));
		exit(1);
	}
}

/* Writes text as a JSON string; in place of what is no UTF-8, question marks. */
static void
put_string(const char *string)
{
	const char *end = string + strlen(string);

	putchar('"');
	for (const char *c = string; c < end; c++)
	{
		int			length = utf8_length(c, end);

		if (length > 1)
		{
			fwrite(c, 1, length, stdout);
			c += length - 1;
		}
		else if (length == 0)
			putchar('?');
		else if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if ((unsigned char) *c < 0x20)
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

/*
 * Answers a message in place of the server, and logs the error.  A notification
 * gets no answer.
 */
static void
write_error(JsonPart message, int code, const char *text, const char *sqlstate)
{
	JsonPart	id = json_member(message, "id");

	log_line("%s", text);
	if (id.start == NULL && code != PARSE_ERROR &&
		json_member(message, "method").start != NULL)
		return;
	if (code == PARSE_ERROR || !json_is_id(id))
	{
		id.start = "null";
		id.length = 4;
	}
	printf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":%d,\"message\":",
		   (int) id.length, id.start, code);
	put_string(text);
	if (sqlstate != NULL)
		printf(",\"data\":{\"code\":\"%s\"}", sqlstate);
	write_reply("}}");
}

/* Answers a line of which there is too much. */
static void
refuse_long_line(JsonPart line)
{
	char		problem[64];

	snprintf(problem, sizeof(problem), "a message of more than %d bytes", MAX_LINE);
	write_error(line, INVALID_REQUEST, problem, NULL);
}

/* Waits until the server has answered; returns whether the message was cancelled. */
static bool
wait_for_answer(Database *database, Input *input, JsonPart id, size_t position)
{
	bool		cancelled = false;

	while (PQisBusy(database->conn))
	{
		struct pollfd events[] = {
			{.fd = PQsocket(database->conn),.events = POLLIN},
			{.fd = STDIN_FILENO,.events = POLLIN},
		};

		if (!cancelled && input_cancels(input, id, position))
		{
			cancelled = true;
			database_cancel();
		}
		if (poll(events, input->ended ? 1 : 2, -1) < 0)
			continue;
		if (events[0].revents != 0 && !PQconsumeInput(database->conn))
			break;
		if (!input->ended && events[1].revents != 0)
			input_fill(input, refuse_long_line);
	}
	return cancelled;
}

/* Answers a message that the server did not answer, because of an error. */
static void
report_failure(Database *database, JsonPart message, PGresult *result, bool cancelled)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char		state[6] = "";
	char		line[1024];
	int			code = INTERNAL_ERROR;

	if (sqlstate != NULL)
		snprintf(state, sizeof(state), "%s", sqlstate);
	if (cancelled && strcmp(state, "57014") == 0)
	{
		log_line("cancelled");
		return;
	}

	/*
	 * The connection is closed, or the server has announced that it closes
	 * it.
	 */
	if (PQstatus(database->conn) != CONNECTION_OK || strncmp(state, "57P", 3) == 0)
	{
		write_error(message, INTERNAL_ERROR,
					"the connection to the database was lost; whether the request was carried out is not known",
					state[0] ? state : NULL);
		database_close(database);
		return;
	}
	/* The message is not JSON, or is nested beyond the server's limits. */
	if (strcmp(state, "22P02") == 0 || strcmp(state, "22021") == 0)
		code = PARSE_ERROR;
	else if (strncmp(state, "54", 2) == 0)
		code = INVALID_REQUEST;
	snprintf(line, sizeof(line), "%s%s",
			 code == PARSE_ERROR ? "Parse error: " :
			 code == INVALID_REQUEST ? "Invalid request: " : "",
			 text ? text : PQerrorMessage(database->conn));
	write_error(message, code, line, state[0] ? state : NULL);
}

/* Answers a message. */
static void
answer(Database *database, Input *input, const Line *line)
{
	JsonPart	message = {line->text, line->length};
	JsonPart	id = json_member(message, "id");
	PGresult   *result;
	bool		cancelled;
	char	   *problem;

	if (input_cancels(input, id, line->position))
	{
		log_line("cancelled");
		return;
	}
	if (memchr(line->text, '\0', line->length) != NULL)
	{
		write_error(message, PARSE_ERROR, "Parse error: a zero byte", NULL);
		return;
	}
	if (!database_ready(database, &problem))
	{
		write_error(message, INTERNAL_ERROR, problem, NULL);
		free(problem);
		return;
	}
	if (!database_send(database, message.start))
	{
		report_failure(database, message, NULL, false);
		return;
	}
	cancelled = wait_for_answer(database, input, id, line->position);
	result = PQgetResult(database->conn);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		report_failure(database, message, result, cancelled);
	else if (!PQgetisnull(result, 0, 0))
		write_reply(PQgetvalue(result, 0, 0));
	PQclear(result);
	while (database->conn != NULL && (result = PQgetResult(database->conn)) != NULL)
		PQclear(result);
}

/* Answers line after line until there are no more. */
static void
serve(Database *database)
{
	static Input input;
	Line		line;

	for (;;)
	{
		if (input_take(&input, &line))
		{
			if (strspn(line.text, " \t\r") < line.length)
				answer(database, &input, &line);
			free(line.text);
		}
		else if (input.ended)
			break;
		else
			input_fill(&input, refuse_long_line);
	}
	input_free(&input);
}

static void
usage(void)
{
	printf("crm-mcp serves the CRM of a PostgreSQL database to an agent, by the Model\n"
		   "Context Protocol over standard input and output.\n\n"
		   "Usage:\n"
		   "  crm-mcp [OPTION]... [DBNAME]\n\n"
		   "Options:\n"
		   "  -n, --schema=SCHEMA   the CRM's schema (default: crm)\n"
		   "  -R, --role=ROLE       act as this role (SET ROLE)\n"
		   "  -c, --claims=JSON     act with these claims (request.jwt.claims)\n"
		   "  -d, --dbname=DBNAME   database, or connection string\n"
		   "  -h, --host=HOST       database server host or socket directory\n"
		   "  -p, --port=PORT       database server port\n"
		   "  -U, --username=NAME   database user\n"
		   "  -V, --version         show the version, then exit\n"
		   "  -?, --help            show this help, then exit\n\n"
		   "Other values are taken from libpq's environment variables.\n");
}

static void
read_options(Database *database, int argc, char **argv)
{
	static const struct option options[] = {
		{"schema", required_argument, NULL, 'n'},
		{"role", required_argument, NULL, 'R'},
		{"claims", required_argument, NULL, 'c'},
		{"dbname", required_argument, NULL, 'd'},
		{"host", required_argument, NULL, 'h'},
		{"port", required_argument, NULL, 'p'},
		{"username", required_argument, NULL, 'U'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, '?'},
		{NULL, 0, NULL, 0}
	};
	int			option;

	if (argc > 1 && (strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "--help") == 0))
	{
		usage();
		exit(0);
	}
	while ((option = getopt_long(argc, argv, "n:R:c:d:h:p:U:V", options, NULL)) != -1)
	{
		switch (option)
		{
			case 'n':
				database->schema = optarg;
				break;
			case 'R':
				database->role = optarg;
				break;
			case 'c':
				database->claims = optarg;
				break;
			case 'd':
				database->dbname = optarg;
				break;
			case 'h':
				database->host = optarg;
				break;
			case 'p':
				database->port = optarg;
				break;
			case 'U':
				database->user = optarg;
				break;
			case 'V':
				printf("crm-mcp %s\n", CRM_VERSION);
				exit(0);
			default:
				fprintf(stderr, "Try \"crm-mcp --help\" for more information.\n");
				exit(1);
		}
	}
	if (optind < argc && database->dbname == NULL)
		database->dbname = argv[optind++];
	if (optind < argc)
	{
		log_line("too many arguments (first is \"%s\")", argv[optind]);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	Database	database = {.schema = "crm"};

	read_options(&database, argc, argv);
	signal(SIGTERM, database_abandon);
	signal(SIGINT, database_abandon);
	signal(SIGHUP, database_abandon);
	signal(SIGPIPE, SIG_IGN);

	serve(&database);
	database_close(&database);
	free(database.query);
	return 0;
}
