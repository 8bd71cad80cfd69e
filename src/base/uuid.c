/*
 * base/uuid.c
 *		Generators of uuids, on top of libuuid.
 *
 * Invariants: the ids that one backend makes are strictly increasing, even when
 * the clock steps back, and each has 62 unpredictable bits.  External uuids
 * depend on their two arguments alone, in all versions.
 */
#include "postgres.h"

#include <time.h>
#include <uuid/uuid.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/uuid.h"

/* 12 bits hold the fraction of a millisecond: the smallest step in them, in ns. */
#define NS_PER_MS	INT64CONST(1000000)
#define MIN_STEP_NS	(NS_PER_MS / 4096 + 1)

/* Ids made from one random key. */
#define IDS_PER_KEY	1024

/*
 * The namespace of external uuids: bc38c7f0-3f6a-4c33-a7c4-2b8c4a9d6e15.
 * It must never change, as stored ids were made from it.
 */
static const uuid_t external_namespace = {
	0xbc, 0x38, 0xc7, 0xf0, 0x3f, 0x6a, 0x4c, 0x33,
	0xa7, 0xc4, 0x2b, 0x8c, 0x4a, 0x9d, 0x6e, 0x15
};

/* State of make_uuid_v7(), of the process pid. */
static struct
{
	int			pid;
	int64		last_ns;		/* time in the last id made */
	uuid_t		key;			/* secret: its hashes are the random bits */
	uint64		made;			/* ids made from key */
	pg_uuid_t	last;
	bool		last_is_new;	/* see crm_take_new_uuid() */
}			generator;

/*
 * The time for the next id, in nanoseconds since 1970: the current time, but at
 * least one step after the time of the last id.
 */
static int64
next_time_ns(void)
{
	struct timespec now;
	int64		ns;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		elog(ERROR, "could not read the clock: %m");
	ns = (int64) now.tv_sec * INT64CONST(1000000000) + now.tv_nsec;
	if (ns < generator.last_ns + MIN_STEP_NS)
		ns = generator.last_ns + MIN_STEP_NS;
	generator.last_ns = ns;
	return ns;
}

/*
 * Makes a version 7 uuid (RFC 9562): 48 bits of milliseconds, 12 bits of the
 * fraction of a millisecond (method 3 of its section 6.2, as PostgreSQL 18
 * does it), 62 random bits.
 *
 * Not libuuid's own uuid_generate_time_v7(), which newer versions have: it is
 * not monotonic, being random below the millisecond.  Nor one call of
 * uuid_generate_random() per id, which takes two microseconds (libuuid 2.38):
 * that makes a key once for IDS_PER_KEY ids, whose random bits are SHA-1 hashes
 * of a counter under the key.
 */
static void
make_uuid_v7(pg_uuid_t *result)
{
	int64		ns;
	uint64		ms;
	uint32		fraction;
	uuid_t		hash;

	/* A forked process must not continue with its parent's key. */
	if (generator.pid != MyProcPid || generator.made >= IDS_PER_KEY)
	{
		uuid_generate_random(generator.key);
		generator.made = 0;
		generator.pid = MyProcPid;
	}
	generator.made++;
	uuid_generate_sha1(hash, generator.key, (const char *) &generator.made,
					   sizeof(generator.made));

	ns = next_time_ns();
	ms = ns / NS_PER_MS;
	fraction = (uint32) ((ns % NS_PER_MS) * 4096 / NS_PER_MS);

	for (int i = 5; i >= 0; i--, ms >>= 8)
		result->data[i] = (unsigned char) ms;
	result->data[6] = 0x70 | (fraction >> 8);
	result->data[7] = (unsigned char) fraction;
	/* The hash is a uuid, too: this half of it contains the variant's bits. */
	memcpy(result->data + 8, hash + 8, 8);
	generator.last = *result;
	generator.last_is_new = true;
}

bool
crm_take_new_uuid(const pg_uuid_t *uuid)
{
	if (!generator.last_is_new || memcmp(generator.last.data, uuid->data, UUID_LEN) != 0)
		return false;
	generator.last_is_new = false;
	return true;
}

/* One step of crm_make_external_uuid(); name is in the server's encoding. */
static void
uuid_v5(uuid_t result, const uuid_t namespace, const char *name)
{
	int			length = strlen(name);
	char	   *utf8 = pg_server_to_any(name, length, PG_UTF8);

	uuid_generate_sha1(result, namespace, utf8,
					   utf8 == name ? length : strlen(utf8));
	if (utf8 != name)
		pfree(utf8);
}

/*
 * The version 5 uuid of an external id.  The caller checks that neither string
 * is empty.
 */
void
crm_make_external_uuid(const char *source, const char *external_id,
					   pg_uuid_t *result)
{
	uuid_t		namespace;

	uuid_v5(namespace, external_namespace, source);
	uuid_v5(result->data, namespace, external_id);
}

/*
 * crm_uuid_v7() -> uuid
 *		A new time-ordered uuid.
 */
PG_FUNCTION_INFO_V1(crm_uuid_v7);
Datum
crm_uuid_v7(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));

	make_uuid_v7(result);
	PG_RETURN_UUID_P(result);
}

/*
 * crm_external_uuid(source text, external_id text) -> uuid
 *		The uuid of another system's id.  Empty strings are refused (22023), as
 *		all rows without an id would get the same uuid.
 */
PG_FUNCTION_INFO_V1(crm_external_uuid);
Datum
crm_external_uuid(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *external_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));

	if (source[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("source of an external id must not be empty"),
				 errhint("Name the system the id comes from, such as 'hubspot'.")));
	if (external_id[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("external id must not be empty"),
				 errhint("Where an empty string means that there is none, use NULLIF(external_id, '').")));
	crm_make_external_uuid(source, external_id, result);
	PG_RETURN_UUID_P(result);
}

char *
crm_uuid_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}
