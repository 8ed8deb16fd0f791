/* What AddressSanitizer must be told of memory that is cut from larger blocks; nothing in any other build. */
#ifndef VINES_POISON_H
#define VINES_POISON_H

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define VINES_POISON(at, size) ASAN_POISON_MEMORY_REGION(at, size)
#define VINES_UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION(at, size)
#define VINES_GAP 16              /* bytes nobody may touch behind each piece */
#else
#define VINES_POISON(at, size) ((void)(at), (void)(size))
#define VINES_UNPOISON(at, size) ((void)(at), (void)(size))
#define VINES_GAP 0
#endif

#endif
