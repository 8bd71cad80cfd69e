/*
 * input.c
 *		The lines of standard input, and which messages they cancel.
 *
 * Positions are counted from the beginning of the whole input, so that a
 * message is not cancelled by a line that came before it.
 */
#include "input.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "database.h"

#define READ_SIZE		65536
/* A buffer that became larger than this is given back when it is empty. */
#define KEPT_SIZE		(16 * READ_SIZE)

static void *
must(void *memory)
{
	if (memory == NULL)
	{
		log_line("out of memory");
		exit(1);
	}
	return memory;
}

/* ---- reading ---- */

/* Moves what is left to the front, once that is no more than what has been taken. */
static void
make_room(Input *input)
{
	if (input->start > 0 && input->start >= input->length - input->start)
	{
		memmove(input->data, input->data + input->start, input->length - input->start);
		input->taken += input->start;
		input->length -= input->start;
		input->tail -= input->start;
		input->scanned -= input->start;
		input->start = 0;
	}
	if (input->length == 0 && input->size > KEPT_SIZE)
	{
		free(input->data);
		input->data = NULL;
		input->size = 0;
	}
	if (input->length + READ_SIZE > input->size)
	{
		input->size = (input->length + READ_SIZE) * 2;
		input->data = must(realloc(input->data, input->size));
	}
}

/* Leaves out what belongs to the line that is too long; from is what was read last. */
static void
skip(Input *input, size_t from)
{
	char	   *end = memchr(input->data + from, '\n', input->length - from);
	size_t		next = end != NULL ? end + 1 - input->data : input->length;

	memmove(input->data + input->tail, input->data + next, input->length - next);
	input->length -= next - input->tail;
	input->skipping = end == NULL;
}

/* Looks for the ends of lines in what was read last. */
static void
find_tail(Input *input, size_t from)
{
	char	   *end = memrchr(input->data + from, '\n', input->length - from);

	if (end != NULL)
		input->tail = end + 1 - input->data;
}

void
input_fill(Input *input, void (*too_long) (JsonPart line))
{
	ssize_t		count;
	size_t		from;

	make_room(input);
	from = input->length;
	count = read(STDIN_FILENO, input->data + from, READ_SIZE);
	if (count < 0)
	{
		if (errno == EINTR || errno == EAGAIN)
			return;
		log_line("cannot read: %s", strerror(errno));
		exit(1);
	}
	input->ended = count == 0;
	input->length += count;
	if (input->skipping)
	{
		skip(input, from);
		from = input->tail;
	}
	find_tail(input, from);
	if (!input->skipping && input->length - input->tail > MAX_LINE)
	{
		JsonPart	line = {input->data + input->tail, input->length - input->tail};

		too_long(line);
		input->length = input->tail;
		input->skipping = true;
	}
}

/* ---- cancellations ---- */

static Cancellation **
bucket(Input *input, JsonPart id)
{
	uint32_t	hash = 5381;

	for (size_t i = 0; i < id.length; i++)
		hash = hash * 33 + (unsigned char) id.start[i];
	return &input->cancellations[hash % CANCELLATION_BUCKETS];
}

/* The id of the message that the line cancels; none if it cancels no message. */
static JsonPart
cancelled_id(JsonPart line)
{
	JsonPart	none = {NULL, 0};

	if (!json_is_string(json_member(line, "method"), "notifications/cancelled"))
		return none;
	return json_member(json_member(line, "params"), "requestId");
}

static void
note_cancellation(Input *input, JsonPart line)
{
	JsonPart	id = cancelled_id(line);
	Cancellation *entry;
	Cancellation **head;

	if (id.start == NULL)
		return;
	head = bucket(input, id);
	entry = must(malloc(sizeof(Cancellation)));
	entry->id = must(malloc(id.length + 1));
	memcpy(entry->id, id.start, id.length);
	entry->length = id.length;
	entry->position = input->taken + (line.start - input->data);
	entry->next = *head;
	*head = entry;
	input->ncancellations++;
}

/* Forgets the cancellation that a line noted which is taken. */
static void
forget_cancellation(Input *input, JsonPart line, size_t position)
{
	JsonPart	id = input->ncancellations > 0 ? cancelled_id(line) : (JsonPart)
	{
		NULL, 0
	};

	if (id.start == NULL)
		return;
	for (Cancellation **entry = bucket(input, id); *entry != NULL; entry = &(*entry)->next)
	{
		Cancellation *found = *entry;

		if (found->position != position)
			continue;
		*entry = found->next;
		free(found->id);
		free(found);
		input->ncancellations--;
		return;
	}
}

bool
input_cancels(Input *input, JsonPart id, size_t position)
{
	while (input->scanned < input->tail)
	{
		JsonPart	line = {input->data + input->scanned, 0};
		const char *end = memchr(line.start, '\n', input->tail - input->scanned);

		line.length = end - line.start;
		note_cancellation(input, line);
		input->scanned += line.length + 1;
	}
	if (id.start == NULL || input->ncancellations == 0)
		return false;
	for (Cancellation *entry = *bucket(input, id); entry != NULL; entry = entry->next)
	{
		JsonPart	other = {entry->id, entry->length};

		if (entry->position > position && json_equal(other, id))
			return true;
	}
	return false;
}

/* ---- lines ---- */

bool
input_take(Input *input, Line *line)
{
	char	   *start = input->data + input->start;
	char	   *end = NULL;
	JsonPart	part = {start, 0};

	if (input->start < input->tail)
		end = memchr(start, '\n', input->tail - input->start);
	if (end == NULL && !(input->ended && input->start < input->length))
		return false;
	part.length = end != NULL ? (size_t) (end - start) : input->length - input->start;
	line->length = part.length;
	line->position = input->taken + input->start;
	line->text = must(malloc(line->length + 1));
	memcpy(line->text, start, line->length);
	line->text[line->length] = '\0';
	forget_cancellation(input, part, line->position);
	input->start += line->length + (end != NULL ? 1 : 0);
	if (input->scanned < input->start)
		input->scanned = input->start;
	if (input->tail < input->start)
		input->tail = input->start;
	return true;
}

void
input_free(Input *input)
{
	for (int i = 0; i < CANCELLATION_BUCKETS; i++)
	{
		while (input->cancellations[i] != NULL)
		{
			Cancellation *entry = input->cancellations[i];

			input->cancellations[i] = entry->next;
			free(entry->id);
			free(entry);
		}
	}
	free(input->data);
}
