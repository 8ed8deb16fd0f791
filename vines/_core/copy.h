/* Copies of a few dozen bytes without a call: keys and values are mostly that small. */
#ifndef VINES_COPY_H
#define VINES_COPY_H

#include <stdint.h>
#include <string.h>

/* Copy `count` bytes in fixed-size pieces, the last of which overlaps the one before: never outside either range. */
static inline uint8_t* vines_copy(uint8_t* into, const uint8_t* from, size_t count)
{
    if (count > 128) {
        memcpy(into, from, count);
    } else if (count >= 16) {
        size_t at = 0;
        for (; at + 16 <= count; at += 16)
            memcpy(into + at, from + at, 16);
        memcpy(into + count - 16, from + count - 16, 16);
    } else if (count >= 8) {
        memcpy(into, from, 8);
        memcpy(into + count - 8, from + count - 8, 8);
    } else if (count >= 4) {
        memcpy(into, from, 4);
        memcpy(into + count - 4, from + count - 4, 4);
    } else if (count) {
        into[0] = from[0];
        into[count / 2] = from[count / 2];
        into[count - 1] = from[count - 1];
    }
    return into + count;
}

#endif
