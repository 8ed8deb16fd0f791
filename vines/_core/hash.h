/* Keyed hashes and the arithmetic of the vector fingerprint: what Cython has no words for (128-bit products, rotations).

   SipHash-1-3: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; the variant with one round per word
   and three at the end is the one CPython uses for its own strings.
*/
#ifndef VINES_HASH_H
#define VINES_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef _MSC_VER
#include <intrin.h>
#define VINES_INLINE static __forceinline
#define VINES_PREFETCH(address) _mm_prefetch((const char*)(address), _MM_HINT_T0)
#if defined(_M_ARM64)
#undef VINES_PREFETCH
#define VINES_PREFETCH(address) __prefetch((const void*)(address))
#endif
#else
#define VINES_INLINE static inline __attribute__((unused))
#define VINES_PREFETCH(address) __builtin_prefetch(address)
#endif

VINES_INLINE uint64_t vines_read64(const uint8_t* at)
{
    uint64_t word;
    memcpy(&word, at, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

VINES_INLINE void vines_write64(uint8_t* at, uint64_t word)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(at, &word, 8);
}

VINES_INLINE uint32_t vines_read32(const uint8_t* at)
{
    uint32_t word;
    memcpy(&word, at, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

VINES_INLINE void vines_write32(uint8_t* at, uint32_t word)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    memcpy(at, &word, 4);
}

/* Up to seven bytes, the first in the lowest place. */
VINES_INLINE uint64_t vines_read_tail(const uint8_t* at, size_t count)
{
    uint64_t word = 0;
    switch (count) {
    case 7: word |= (uint64_t)at[6] << 48; /* fall through */
    case 6: word |= (uint64_t)at[5] << 40; /* fall through */
    case 5: word |= (uint64_t)at[4] << 32; /* fall through */
    case 4: word |= (uint64_t)at[3] << 24; /* fall through */
    case 3: word |= (uint64_t)at[2] << 16; /* fall through */
    case 2: word |= (uint64_t)at[1] << 8;  /* fall through */
    case 1: word |= (uint64_t)at[0];       /* fall through */
    default: break;
    }
    return word;
}

#define VINES_ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define VINES_SIPROUND                                                              \
    do {                                                                            \
        v0 += v1; v1 = VINES_ROTATE(v1, 13); v1 ^= v0; v0 = VINES_ROTATE(v0, 32);   \
        v2 += v3; v3 = VINES_ROTATE(v3, 16); v3 ^= v2;                              \
        v0 += v3; v3 = VINES_ROTATE(v3, 21); v3 ^= v0;                              \
        v2 += v1; v1 = VINES_ROTATE(v1, 17); v1 ^= v2; v2 = VINES_ROTATE(v2, 32);   \
    } while (0)

typedef struct {
    uint64_t k0, k1;
} vines_key;

VINES_INLINE vines_key vines_load_key(const uint8_t* bytes)
{
    vines_key key;
    key.k0 = vines_read64(bytes);
    key.k1 = vines_read64(bytes + 8);
    return key;
}

/* SipHash-1-3 of `count` bytes, preceded by `head_count` (0 to 7) bytes packed in `head`. */
VINES_INLINE uint64_t vines_sip_with_head(
    vines_key key, uint64_t head, size_t head_count, const uint8_t* data, size_t count)
{
    uint64_t v0 = key.k0 ^ 0x736f6d6570736575ULL;
    uint64_t v1 = key.k1 ^ 0x646f72616e646f6dULL;
    uint64_t v2 = key.k0 ^ 0x6c7967656e657261ULL;
    uint64_t v3 = key.k1 ^ 0x7465646279746573ULL;
    uint64_t last = (uint64_t)(head_count + count) << 56;
    uint64_t word;
    if (head_count) {
        size_t taken = 8 - head_count;
        if (count >= taken) {
            word = head | (vines_read_tail(data, taken) << (8 * head_count));
            data += taken;
            count -= taken;
            v3 ^= word;
            VINES_SIPROUND;
            v0 ^= word;
        } else {
            last |= head;
            if (count)
                last |= vines_read_tail(data, count) << (8 * head_count);
            count = 0;
        }
    }
    while (count >= 8) {
        word = vines_read64(data);
        data += 8;
        count -= 8;
        v3 ^= word;
        VINES_SIPROUND;
        v0 ^= word;
    }
    last |= vines_read_tail(data, count);
    v3 ^= last;
    VINES_SIPROUND;
    v0 ^= last;
    v2 ^= 0xff;
    VINES_SIPROUND;
    VINES_SIPROUND;
    VINES_SIPROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

VINES_INLINE uint64_t vines_sip(vines_key key, const uint8_t* data, size_t count)
{
    return vines_sip_with_head(key, 0, 0, data, count);
}

VINES_INLINE uint64_t vines_multiply(uint64_t a, uint64_t b, uint64_t* high)
{
#if defined(_MSC_VER) && defined(_M_X64)
    return _umul128(a, b, high);
#elif defined(_MSC_VER)
    *high = __umulh(a, b);
    return a * b;
#elif defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#else
    uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    uint64_t low = a_low * b_low, cross = a_high * b_low + (low >> 32);
    uint64_t other = a_low * b_high + (uint32_t)cross;
    *high = a_high * b_high + (cross >> 32) + (other >> 32);
    return (other << 32) | (uint32_t)low;
#endif
}

/* A keyed fold of the 16 bytes of a source id, for a table that is private to this process. The constants (digits of pi)
   keep a key of zeros from folding ids with a half of zeros to nothing. */
VINES_INLINE uint64_t vines_fold_id(vines_key key, const uint8_t* id)
{
    uint64_t high, low;
    low = vines_multiply(
        vines_read64(id) ^ key.k0 ^ 0x243f6a8885a308d3ULL,
        vines_read64(id + 8) ^ key.k1 ^ 0x13198a2e03707344ULL, &high);
    return low ^ high;
}

/* Residues modulo the Mersenne prime 2^61 - 1. */
#define VINES_PRIME 0x1fffffffffffffffULL

VINES_INLINE uint64_t vines_residue(uint64_t x)
{
    x = (x & VINES_PRIME) + (x >> 61);
    return x >= VINES_PRIME ? x - VINES_PRIME : x;
}

VINES_INLINE uint64_t vines_multiply_residue(uint64_t a, uint64_t b)
{
    uint64_t high, low;
    low = vines_multiply(a, b, &high);
    return vines_residue((low & VINES_PRIME) + ((low >> 61) | (high << 3)));
}

VINES_INLINE uint64_t vines_add_residue(uint64_t a, uint64_t b)
{
    a += b;
    return a >= VINES_PRIME ? a - VINES_PRIME : a;
}

#endif
