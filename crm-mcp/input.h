/*
 * input.h
 *		The lines of standard input, and which messages they cancel.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "json_scan.h"

/* Less than the server's limit of a value, 1 GB. */
#define MAX_LINE		(256 * 1024 * 1024)

/* A line that cancels a message, until it is taken. */
typedef struct Cancellation
{
	char	   *id;				/* of the message, as it is written */
	size_t		length;
	size_t		position;		/* of the line in the whole input */
	struct Cancellation *next;
} Cancellation;

#define CANCELLATION_BUCKETS 4096

/*
 * What has been read and not been taken yet.  Each byte is searched once for the
 * ends of lines, and each line once for a cancellation.
 */
typedef struct Input
{
	char	   *data;
	size_t		size;
	size_t		start;			/* of the first line */
	size_t		scanned;		/* lines before it have been searched for
								 * cancellations */
	size_t		tail;			/* of the line without an end, the last one */
	size_t		length;
	size_t		taken;			/* bytes of the whole input before data */
	bool		ended;
	bool		skipping;		/* in a line that is too long */
	Cancellation *cancellations[CANCELLATION_BUCKETS];
	size_t		ncancellations;
} Input;

/* A line, without its end; a zero byte follows. */
typedef struct Line
{
	char	   *text;			/* malloc'd */
	size_t		length;
	size_t		position;		/* in the whole input */
} Line;

/*
 * Reads the input that is available; waits if there is none.  Of a line that is
 * too long the rest is left out, and too_long is called with what there is of it.
 */
extern void input_fill(Input *input, void (*too_long) (JsonPart line));

/* Takes the first line; false if there is none yet. */
extern bool input_take(Input *input, Line *line);

/* Whether a line that has been read after that position cancels the message of that id. */
extern bool input_cancels(Input *input, JsonPart id, size_t position);

extern void input_free(Input *input);

#endif							/* INPUT_H */
