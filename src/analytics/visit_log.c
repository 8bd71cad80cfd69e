/*
 * analytics/visit_log.c
 *		The flat value that holds visits of deals in stages.
 *
 * Numbers are written seven bits a byte, the lowest first, with the eighth bit
 * where more follow; signed ones with the sign in the lowest bit.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "analytics/visit_log.h"

#define MIN_SLOTS		16
#define MAX_SLOTS		(1U << 20)
#define FIRST_BYTES		256		/* room for records in a new state */
#define MAX_RECORD		64		/* bytes of a record, at most */

/* What a record has, in the lowest bits of its first number. */
#define MOVE_HAS_NEXT		1
#define MOVE_HAS_ENTERED_AT 2
#define MOVE_HAS_DURATION	4
#define DEAL_STATUS			3
#define DEAL_HAS_ENTERED_AT 4
#define DEAL_HAS_AMOUNT		8
#define MOVE_BITS			3
#define DEAL_BITS			4

/* Half of the slots stay free. */
#define STAGES_FOR(nslots)	((nslots) / 2)

static inline UuidKey *
log_stages(VisitLog *log)
{
	return (UuidKey *) (log + 1);
}

static inline uint32 *
log_slots(VisitLog *log)
{
	return (uint32 *) (log_stages(log) + STAGES_FOR(log->nslots));
}

/* Where the records of a state of so many slots begin. */
static inline Size
records_offset(uint32 nslots)
{
	return sizeof(VisitLog) + STAGES_FOR((Size) nslots) * sizeof(UuidKey) + nslots * sizeof(uint32);
}

static inline uint8 *
log_records(VisitLog *log)
{
	return (uint8 *) log + records_offset(log->nslots);
}

static pg_noreturn void
bad_log(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("value is not a stage history or a cohort of deals"),
			 errhint("They are results of crm_stage_history() and crm_deal_cohort(), of servers of the same kind and version.")));
}

static pg_noreturn void
too_large(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("stage history is too large"),
			 errdetail("The moves of a stage history, and the deals of a cohort, take 1 GB at most: some 30 million."),
			 errhint("Choose fewer moves or deals, such as by a period.")));
}

/* An empty state in the current memory context. */
static VisitLog *
new_log(uint32 kind, uint32 nslots, Size room)
{
	Size		size = records_offset(nslots) + room;
	VisitLog   *log = palloc(size);

	memset(log, 0, records_offset(nslots));
	SET_VARSIZE(log, size);
	log->kind = kind;
	log->nslots = nslots;
	log->seed = crm_new_hash_seed();
	return log;
}

/* Whether a state is sound, as far as adding to it relies on that. */
static inline bool
state_is_sound(const VisitLog *log, VisitLogKind kind)
{
	return VARATT_IS_4B_U(log) && VARSIZE(log) >= records_offset(MIN_SLOTS) &&
		log->kind == kind &&
		log->nslots >= MIN_SLOTS && log->nslots <= MAX_SLOTS &&
		(log->nslots & (log->nslots - 1)) == 0 &&
		log->nstages <= STAGES_FOR(log->nslots) &&
		records_offset(log->nslots) + (Size) log->used <= VARSIZE(log);
}

VisitLog *
crm_visit_log_state(FunctionCallInfo fcinfo, VisitLogKind kind)
{
	VisitLog   *log;

	if (unlikely(!AggCheckCallContext(fcinfo, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this function can be called by an aggregate only"),
				 errhint("Use crm_stage_history() or crm_deal_cohort().")));
	if (unlikely(PG_ARGISNULL(0)))
		return new_log(kind, MIN_SLOTS, FIRST_BYTES);
	log = (VisitLog *) PG_GETARG_POINTER(0);
	/* Another aggregate may have been given any bytes to begin with. */
	if (unlikely(!state_is_sound(log, kind)))
		bad_log();
	return log;
}

/* A copy with more slots or more room. */
static VisitLog *
enlarge(VisitLog *old, uint32 nslots, Size room)
{
	VisitLog   *log;

	if (nslots > MAX_SLOTS || records_offset(nslots) + old->used + MAX_RECORD > MaxAllocSize)
		too_large();
	log = new_log(old->kind, nslots, Min(room, MaxAllocSize - records_offset(nslots)));
	log->nrecords = old->nrecords;
	log->used = old->used;
	log->nstages = old->nstages;
	memcpy(log_stages(log), log_stages(old), old->nstages * sizeof(UuidKey));
	memcpy(log_records(log), log_records(old), old->used);
	for (uint32 i = 0; i < log->nstages; i++)
	{
		uint32		slot = crm_uuid_hash(log_stages(log)[i], log->seed);

		while (log_slots(log)[slot & (nslots - 1)] != 0)
			slot++;
		log_slots(log)[slot & (nslots - 1)] = i + 1;
	}
	return log;
}

/* The number of a stage, from 1; a new one is added. */
static uint32
stage_number(VisitLog **log, const UuidKey *stage)
{
	UuidKey    *stages = log_stages(*log);
	uint32	   *slots = log_slots(*log);
	uint32		mask = (*log)->nslots - 1;
	uint32		slot = crm_uuid_hash(*stage, (*log)->seed) & mask;
	uint32		probes = 0;

	for (; slots[slot] != 0; slot = (slot + 1) & mask)
	{
		if (slots[slot] > (*log)->nstages || ++probes > mask)
			bad_log();
		if (crm_uuid_keys_equal(stages[slots[slot] - 1], *stage))
			return slots[slot];
	}
	if ((*log)->nstages == STAGES_FOR((*log)->nslots))
	{
		*log = enlarge(*log, (*log)->nslots * 2, VARSIZE(*log) - records_offset((*log)->nslots));
		return stage_number(log, stage);
	}
	stages[(*log)->nstages] = *stage;
	return slots[slot] = ++(*log)->nstages;
}

static inline uint8 *
put_number(uint8 *place, uint64 number)
{
	while (number >= 0x80)
	{
		*place++ = (uint8) number | 0x80;
		number >>= 7;
	}
	*place++ = (uint8) number;
	return place;
}

static inline uint8 *
put_signed(uint8 *place, int64 number)
{
	return put_number(place, ((uint64) number << 1) ^ (uint64) (number >> 63));
}

/* The upper half, which is nearly always 0 or -1, then the lower one. */
static inline uint8 *
put_amount(uint8 *place, int128 amount)
{
	return put_number(put_signed(place, (int64) (amount >> 64)), (uint64) amount);
}

static inline uint8 *
put_time(uint8 *place, TimestampTz time)
{
	memcpy(place, &time, sizeof(time));
	return place + sizeof(time);
}

static inline uint8 *
put_move(uint8 *place, const VisitRecord *record)
{
	uint32		has = 0;

	if (record->is_revert)
		return put_signed(put_number(place, 0), record->reverts_no);
	has |= record->next != 0 ? MOVE_HAS_NEXT : 0;
	has |= record->has_entered_at ? MOVE_HAS_ENTERED_AT : 0;
	has |= record->has_duration ? MOVE_HAS_DURATION : 0;
	place = put_number(place, ((uint64) record->stage << MOVE_BITS) | has);
	place = put_signed(place, record->move_no);
	if (record->next != 0)
		place = put_number(place, record->next);
	if (record->has_entered_at)
		place = put_time(place, record->entered_at);
	if (record->has_duration)
		place = put_signed(place, record->duration);
	return place;
}

static inline uint8 *
put_deal(uint8 *place, const VisitRecord *record)
{
	uint32		has = record->status;

	has |= record->has_entered_at ? DEAL_HAS_ENTERED_AT : 0;
	has |= record->has_amount ? DEAL_HAS_AMOUNT : 0;
	place = put_number(place, ((uint64) record->stage << DEAL_BITS) | has);
	if (record->has_entered_at)
		place = put_time(place, record->entered_at);
	if (record->has_amount)
		place = put_amount(place, record->amount);
	return place;
}

void
crm_visit_log_add(VisitLog **log, VisitRecord *record, const UuidKey *stage, const UuidKey *next)
{
	Size		offset;
	uint8	   *start;
	uint8	   *place;

	record->stage = stage == NULL ? 0 : stage_number(log, stage);
	record->next = next == NULL ? 0 : stage_number(log, next);
	offset = records_offset((*log)->nslots);
	if (unlikely(offset + (*log)->used + MAX_RECORD > VARSIZE(*log)))
		*log = enlarge(*log, (*log)->nslots, ((Size) (*log)->used + MAX_RECORD) * 2);

	start = log_records(*log) + (*log)->used;
	memcpy(start, &record->deal, sizeof(UuidKey));
	place = start + sizeof(UuidKey);
	place = (*log)->kind == VISIT_LOG_MOVES ? put_move(place, record) : put_deal(place, record);
	(*log)->used += place - start;
	(*log)->nrecords++;
}

void
crm_visit_log_read(VisitLogReader *reader, Datum log, VisitLogKind kind)
{
	struct varlena *value = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(log));
	const char *data = VARDATA_ANY(value);
	Size		size = VARSIZE_ANY_EXHDR(value);
	Size		header = sizeof(VisitLog) - VARHDRSZ;
	Size		offset;
	VisitLog	head;

	if (size < header)
		bad_log();
	memcpy((char *) &head + VARHDRSZ, data, header);
	offset = header + head.nstages * sizeof(UuidKey);
	if (head.nslots != 0)
		offset = records_offset(head.nslots) - VARHDRSZ;
	if (head.kind != kind || head.nslots > MAX_SLOTS || head.nstages > STAGES_FOR(MAX_SLOTS) ||
		(head.nslots != 0 && head.nstages > STAGES_FOR(head.nslots)) ||
		size < offset || size - offset < head.used || head.nrecords > head.used / sizeof(UuidKey))
		bad_log();

	reader->kind = head.kind;
	reader->nstages = head.nstages;
	reader->stages = data + header;
	reader->nrecords = head.nrecords;
	reader->nread = 0;
	reader->place = (const uint8 *) data + offset;
	reader->end = reader->place + head.used;
}

static inline uint64
get_number(VisitLogReader *reader)
{
	uint64		number = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		uint8		byte;

		if (unlikely(reader->place >= reader->end))
			break;
		byte = *reader->place++;
		number |= (uint64) (byte & 0x7F) << shift;
		if (byte < 0x80)
			return number;
	}
	bad_log();
	return 0;					/* not reached */
}

static inline int64
get_signed(VisitLogReader *reader)
{
	uint64		number = get_number(reader);

	return (int64) (number >> 1) ^ -(int64) (number & 1);
}

static inline int128
get_amount(VisitLogReader *reader)
{
	int128		upper = get_signed(reader);

	return (int128) ((uint128) upper << 64 | get_number(reader));
}

static inline TimestampTz
get_time(VisitLogReader *reader)
{
	TimestampTz time;

	if (unlikely(reader->end - reader->place < sizeof(time)))
		bad_log();
	memcpy(&time, reader->place, sizeof(time));
	reader->place += sizeof(time);
	return time;
}

static inline uint32
get_stage(const VisitLogReader *reader, uint64 stage)
{
	if (unlikely(stage > reader->nstages))
		bad_log();
	return (uint32) stage;
}

static inline void
get_move(VisitLogReader *reader, VisitRecord *record)
{
	uint64		head = get_number(reader);

	record->is_revert = head == 0;
	if (record->is_revert)
	{
		record->reverts_no = (int32) get_signed(reader);
		return;
	}
	record->stage = get_stage(reader, head >> MOVE_BITS);
	record->move_no = (int32) get_signed(reader);
	record->next = (head & MOVE_HAS_NEXT) ? get_stage(reader, get_number(reader)) : 0;
	record->has_entered_at = (head & MOVE_HAS_ENTERED_AT) != 0;
	record->entered_at = record->has_entered_at ? get_time(reader) : 0;
	record->has_duration = (head & MOVE_HAS_DURATION) != 0;
	record->duration = record->has_duration ? get_signed(reader) : 0;
}

static inline void
get_deal(VisitLogReader *reader, VisitRecord *record)
{
	uint64		head = get_number(reader);

	record->stage = get_stage(reader, head >> DEAL_BITS);
	record->status = head & DEAL_STATUS;
	if (record->status == DEAL_STATUS)
		bad_log();
	record->has_entered_at = (head & DEAL_HAS_ENTERED_AT) != 0;
	record->entered_at = record->has_entered_at ? get_time(reader) : 0;
	record->has_amount = (head & DEAL_HAS_AMOUNT) != 0;
	record->amount = record->has_amount ? get_amount(reader) : 0;
}

bool
crm_visit_log_next(VisitLogReader *reader, VisitRecord *record)
{
	if (reader->nread == reader->nrecords)
	{
		if (reader->place != reader->end)
			bad_log();
		return false;
	}
	if (unlikely(reader->nread % 65536 == 0))
		CHECK_FOR_INTERRUPTS();
	reader->nread++;
	if (unlikely(reader->end - reader->place < sizeof(UuidKey)))
		bad_log();
	record->deal = crm_uuid_key(reader->place);
	reader->place += sizeof(UuidKey);
	if (reader->kind == VISIT_LOG_MOVES)
		get_move(reader, record);
	else
		get_deal(reader, record);
	return true;
}
