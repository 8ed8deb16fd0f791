/* One record of a table: a fixed header, the key right behind it, and behind the key the value or, if that is too large
   for the record's block, the address of a block of its own. */
#ifndef VINES_RECORD_H
#define VINES_RECORD_H

#include <stdint.h>

typedef struct {
    uint64_t stamp;
    uint64_t state;               /* its part of the state fingerprint, 0 if it has none */
    uint64_t counter : 48;        /* with `source`: the record's own position */
    uint64_t flags : 8;
    uint64_t units : 8;           /* of eight bytes, that its block has */
    uint64_t key_length : 11;
    uint64_t value_length : 21;
    uint64_t mark : 20;           /* its number in the delta being written, checked against that delta's list */
    uint64_t ill_formed : 1;      /* the value failed the scanner */
    uint64_t dropped : 1;         /* no longer in the index, and without a value: freed with the last log entry; a stub if `state` says
                                     where the record is now */
    uint64_t met : 1;             /* came with the join under way; one planted bug uses it for itself */
    uint64_t apart : 1;           /* the value has a block of its own */
    uint64_t family : 8;
    uint64_t source : 24;         /* slots in the table's list of sources */
    uint64_t origin : 24;
    uint64_t references : 16;     /* log entries that point here; once at its limit it is no longer counted */
} vines_record;

#endif
