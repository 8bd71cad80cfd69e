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
#include "json_scan.h"

#define READ_SIZE		65536
/* Less than the server's limit of a value, 1 GB. */
#define MAX_LINE		(256 * 1024 * 1024)

#define PARSE_ERROR		(-32700)
#define INVALID_REQUEST (-32600)
#define INTERNAL_ERROR	(-32603)

/* Input that has been read and not yet answered. */
typedef struct Input
{
	char	   *data;
	size_t		length;
	size_t		size;
	size_t		looked_at;		/* lines before it do not cancel the message */
	bool		ended;
} Input;

/* Reads the input that is available; waits if there is none. */
static void
fill(Input *input)
{
	ssize_t		count;

	if (input->length + READ_SIZE > input->size)
	{
		input->size = (input->length + READ_SIZE) * 2;
		input->data = realloc(input->data, input->size);
		if (input->data == NULL)
		{
			log_line("out of memory");
			exit(1);
		}
	}
	count = read(STDIN_FILENO, input->data + input->length, READ_SIZE);
	if (count > 0)
		input->length += count;
	else if (count == 0)
		input->ended = true;
	else if (errno != EINTR && errno != EAGAIN)
	{
		log_line("cannot read: %s", strerror(errno));
		exit(1);
	}
	if (input->length > MAX_LINE && memchr(input->data, '\n', input->length) == NULL)
	{
		log_line("a line of more than %d bytes", MAX_LINE);
		exit(1);
	}
}

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

/* Writes text as a JSON string. */
static void
put_string(const char *text)
{
	putchar('"');
	for (const char *c = text; *c; c++)
	{
		if (*c == '"' || *c == '\\')
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
	if (id.start == NULL || code == PARSE_ERROR)
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

/* Whether a line that has arrived cancels the message. */
static bool
is_cancelled(Input *input, JsonPart message)
{
	char	   *end;

	while ((end = memchr(input->data + input->looked_at, '\n',
						 input->length - input->looked_at)) != NULL)
	{
		JsonPart	line = {input->data + input->looked_at, 0};

		line.length = end - line.start;
		input->looked_at += line.length + 1;
		if (json_is_string(json_member(line, "method"), "notifications/cancelled") &&
			json_equal(json_member(json_member(line, "params"), "requestId"),
					   json_member(message, "id")))
			return true;
	}
	return false;
}

/* Waits until the server has answered; returns whether the message was cancelled. */
static bool
wait_for_answer(Database *database, Input *input, JsonPart message)
{
	bool		cancelled = false;

	while (PQisBusy(database->conn))
	{
		struct pollfd events[] = {
			{.fd = PQsocket(database->conn),.events = POLLIN},
			{.fd = STDIN_FILENO,.events = POLLIN},
		};

		if (!cancelled && is_cancelled(input, message))
		{
			cancelled = true;
			database_cancel();
		}
		if (poll(events, input->ended ? 1 : 2, -1) < 0)
			continue;
		if (events[0].revents != 0 && !PQconsumeInput(database->conn))
			break;
		if (!input->ended && events[1].revents != 0)
			fill(input);
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

/* Answers a message, which a zero byte follows. */
static void
answer(Database *database, Input *input, JsonPart message)
{
	PGresult   *result;
	bool		cancelled;
	char	   *problem;

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
	cancelled = wait_for_answer(database, input, message);
	result = PQgetResult(database->conn);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		report_failure(database, message, result, cancelled);
	else if (!PQgetisnull(result, 0, 0))
		write_reply(PQgetvalue(result, 0, 0));
	PQclear(result);
	while (database->conn != NULL && (result = PQgetResult(database->conn)) != NULL)
		PQclear(result);
}

/* Removes the first line from the input and returns it; NULL if there is none yet. */
static char *
next_line(Input *input)
{
	char	   *end = memchr(input->data, '\n', input->length);
	size_t		length;
	char	   *line;

	if (end == NULL && !(input->ended && input->length > 0))
		return NULL;
	length = end ? end - input->data : input->length;
	line = malloc(length + 1);
	if (line == NULL)
	{
		log_line("out of memory");
		exit(1);
	}
	memcpy(line, input->data, length);
	line[length] = '\0';
	if (end != NULL)
		length++;
	input->length -= length;
	memmove(input->data, input->data + length, input->length);
	input->looked_at = 0;
	return line;
}

/* Answers line after line until there are no more. */
static void
serve(Database *database)
{
	Input		input = {0};
	char	   *line;

	fill(&input);
	for (;;)
	{
		line = next_line(&input);
		if (line != NULL)
		{
			JsonPart	message = {line, strlen(line)};

			if (line[strspn(line, " \t\r")] != '\0')
				answer(database, &input, message);
			free(line);
		}
		else if (input.ended)
			break;
		else
			fill(&input);
	}
	free(input.data);
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
