/*
 * base/uuid.h
 *		Generators of uuids, on top of libuuid.
 */
#ifndef CRM_BASE_UUID_H
#define CRM_BASE_UUID_H

#include "utils/uuid.h"

static inline bool
crm_uuid_equal(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a->data, b->data, UUID_LEN) == 0;
}

/* The uuid as text, palloc'd. */
extern char *crm_uuid_text(const pg_uuid_t *uuid);

/*
 * True only for the uuid that crm_uuid_v7() made last, and only at the
 * first call for it: no stored row can have that id yet.
 */
extern bool crm_take_new_uuid(const pg_uuid_t *uuid);

/*
 * A hash of ids, for dynahash and simplehash.  It has a random seed, another one in each
 * backend, as clients choose ids and could otherwise choose ones that collide.
 */
extern uint32 crm_hash_ids(const void *ids, Size size);

/*
 * The version 5 uuid of an id that another system gave: uuid5(uuid5(CRM's
 * namespace, source), external_id), over the UTF-8 form of both strings.
 */
extern void crm_make_external_uuid(const char *source, const char *external_id,
								   pg_uuid_t *result);

#endif							/* CRM_BASE_UUID_H */
