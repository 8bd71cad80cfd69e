/*
 * base/large_memory.h
 *		Memory that is accessed at random.
 *
 * An access waits, even if it only prefetches, until the processor knows where the
 * page is, and it knows few pages at a time.  So the kernel is asked for large pages,
 * where it gives them to those who ask (Linux: transparent huge pages, "madvise").
 */
#ifndef CRM_BASE_LARGE_MEMORY_H
#define CRM_BASE_LARGE_MEMORY_H

/*
 * As MemoryContextAllocHuge(), pfree() and repalloc_huge(), but for the alignment: of at
 * least a line of the processor's cache, and of a large page where there is one to fill.
 */
extern void *crm_alloc_large(MemoryContext context, Size size);
extern void crm_free_large(void *memory);
extern void *crm_realloc_large(void *memory, Size old_size, Size size);

#endif							/* CRM_BASE_LARGE_MEMORY_H */
