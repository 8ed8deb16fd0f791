/* Reading an unsigned LEB128 number of up to 64 bits in its shortest form.

   Lengths are found by branches, which the processor guesses well where a body's numbers are alike, and not by counting
   bits, on which the address of the next number would have to wait.
*/
#ifndef VINES_VARINT_H
#define VINES_VARINT_H

#include "hash.h"

/* Moves `*at` behind the number and returns 0; -1 if it is cut short, too long or not in its shortest form. */
VINES_INLINE int vines_read_varint(const uint8_t** at, const uint8_t* end, uint64_t* out)
{
    const uint8_t* from = *at;
    uint64_t value = 0;
    unsigned shift;
    uint8_t byte;
    if (end - from >= 4 && from[0] >= 0x80) {
        if (from[1] < 0x80) {
            *out = (uint64_t)(from[0] & 0x7f) | (uint64_t)from[1] << 7;
            *at = from + 2;
            return from[1] ? 0 : -1;
        }
        if (from[2] < 0x80) {
            *out = (uint64_t)(from[0] & 0x7f) | (uint64_t)(from[1] & 0x7f) << 7
                | (uint64_t)from[2] << 14;
            *at = from + 3;
            return from[2] ? 0 : -1;
        }
    }
    for (shift = 0; shift < 64; shift += 7) {
        if (from >= end)
            return -1;
        byte = *from++;
        if (shift == 63 && byte > 1)
            return -1;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            *at = from;
            return byte || !shift ? 0 : -1;
        }
    }
    return -1;
}

#endif
