/* Memory that goes back to the system when it is freed, whatever else was allocated meanwhile: chunks of one size, each
   at a multiple of it, so that the chunk of an address is found without a search. */
#ifndef VINES_CHUNK_H
#define VINES_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#define VINES_CHUNK 65536         /* what Windows aligns to, and a multiple of every page */

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

static inline void* vines_map_chunk(void)
{
    return VirtualAlloc(NULL, VINES_CHUNK, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

/* Whether the system took it back; if not, it is as it was. */
static inline int vines_unmap_chunk(void* at)
{
    return VirtualFree(at, 0, MEM_RELEASE) != 0;
}

#else
#include <sys/mman.h>

#if !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS MAP_ANON
#endif

static inline uint8_t* vines_map(size_t size)
{
    void* at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : (uint8_t*)at;
}

/* Zeros, of which the system backs only what is touched; NULL if memory ran out. */
static inline void* vines_map_chunk(void)
{
    uint8_t* at = vines_map(VINES_CHUNK);
    size_t lead;
    if (at == NULL || ((uintptr_t)at & (VINES_CHUNK - 1)) == 0)
        return at;                /* mostly, as one is mapped beside the other */
    munmap(at, VINES_CHUNK);
    at = vines_map(2 * VINES_CHUNK);
    if (at == NULL)
        return NULL;
    lead = (0 - (uintptr_t)at) & (VINES_CHUNK - 1);
    if (lead)
        munmap(at, lead);
    munmap(at + lead + VINES_CHUNK, VINES_CHUNK - lead);
    return at + lead;
}

/* Whether the system took it back; if not, it is as it was. That happens where it lies between others and no more holes
   are to be had: of mappings a process may have so many only. */
static inline int vines_unmap_chunk(void* at)
{
    return munmap(at, VINES_CHUNK) == 0;
}

#endif
#endif
