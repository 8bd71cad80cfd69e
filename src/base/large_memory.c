/*
 * base/large_memory.c
 *		Memory that is accessed at random.
 */
#include "postgres.h"

#include <sys/mman.h>

#include "utils/memutils.h"

#include "base/large_memory.h"

/* The usual size of large pages; if it is another one, nothing is lost. */
#define LARGE_PAGE	(2 * 1024 * 1024)

/* Asks for large pages; a kernel without them refuses. */
static void
ask_for_large_pages(void *memory, Size size)
{
#ifdef MADV_HUGEPAGE
	(void) madvise(memory, size, MADV_HUGEPAGE);
#endif
}

/* What was allocated is noted before what is used of it. */
static inline void **
note_of(void *memory)
{
	return (void **) memory - 1;
}

void *
crm_alloc_large(MemoryContext context, Size size)
{
	bool		is_large = size > LARGE_PAGE / 2;
	Size		align = is_large ? LARGE_PAGE : PG_CACHE_LINE_SIZE;
	Size		room = is_large ? TYPEALIGN(LARGE_PAGE, size) : size;
	char	   *allocated = MemoryContextAllocHuge(context, room + align + sizeof(void *));
	void	   *memory = (void *) TYPEALIGN(align, allocated + sizeof(void *));

	*note_of(memory) = allocated;
	if (is_large)
		ask_for_large_pages(memory, room);
	return memory;
}

void
crm_free_large(void *memory)
{
	pfree(*note_of(memory));
}

void *
crm_realloc_large(void *memory, Size old_size, Size size)
{
	void	   *result = crm_alloc_large(GetMemoryChunkContext(*note_of(memory)), size);

	memcpy(result, memory, Min(old_size, size));
	crm_free_large(memory);
	return result;
}
