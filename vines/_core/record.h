/* One record of a table: a fixed header, the key right behind it, and behind the key the value if it is small. */
#ifndef VINES_RECORD_H
#define VINES_RECORD_H

#include <stdint.h>

typedef struct {
    uint64_t stamp;
    uint64_t state;               /* its part of the state fingerprint, 0 if it has none */
    uint8_t* value;               /* into this block, or a block of its own */
    uint64_t counter : 48;        /* with `source`: the record's own position */
    uint64_t key_length : 12;
    uint64_t ill_formed : 1;      /* the value failed the scanner */
    uint64_t dropped : 1;         /* no longer in the index: freed with the last log entry */
    uint64_t sent : 1;            /* used by one planted bug only */
    uint64_t spare : 1;
    uint32_t source;              /* slots in the table's list of sources */
    uint32_t origin;
    uint32_t value_length : 24;
    uint32_t family : 8;
    uint32_t value_capacity : 24;
    uint32_t flags : 8;
    uint32_t references;          /* log entries that point here */
    uint32_t mark;                /* its number in the delta being written, checked against that delta's list */
} vines_record;

#endif
