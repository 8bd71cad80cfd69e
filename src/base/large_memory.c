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

/* Asks for large pages where the memory has whole ones. */
static void *
ask_for_large_pages(void *memory, Size size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	begin = TYPEALIGN(LARGE_PAGE, memory);
	uintptr_t	end = TYPEALIGN_DOWN(LARGE_PAGE, (char *) memory + size);

	/* A kernel without them refuses. */
	if (begin < end)
		(void) madvise((void *) begin, end - begin, MADV_HUGEPAGE);
#endif
	return memory;
}

void *
crm_alloc_large(MemoryContext context, Size size)
{
	return ask_for_large_pages(MemoryContextAllocHuge(context, size), size);
}

void *
crm_realloc_large(void *memory, Size size)
{
	return ask_for_large_pages(repalloc_huge(memory, size), size);
}
