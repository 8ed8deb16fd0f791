/* The two loops over whole vectors, in the widest form this processor has, chosen once at run time.

   Counters stay below 2^48, so signed comparison is as good as unsigned.
*/
#ifndef VINES_SIMD_H
#define VINES_SIMD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(_M_X64)
#define VINES_X86 1
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#define VINES_TARGET(name)
#else
#define VINES_TARGET(name) __attribute__((target(name)))
#endif
#elif (defined(__aarch64__) && !defined(__AARCH64EB__)) || defined(_M_ARM64)
#define VINES_NEON 1
#include <arm_neon.h>
#endif

/* Raise each of `count` counters in `into` to that in `from`. */
static void vines_maximum_portable(uint64_t* into, const uint64_t* from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        into[i] = into[i] > from[i] ? into[i] : from[i];
}

/* The first place at or after `start` where `a` is above `b`, or `count`. */
static size_t vines_first_above_portable(
    const uint64_t* a, const uint64_t* b, size_t start, size_t count)
{
    while (start < count && a[start] <= b[start])
        start++;
    return start;
}

#ifdef VINES_X86
VINES_TARGET("avx2")
static void vines_maximum_avx2(uint64_t* into, const uint64_t* from, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i a0 = _mm256_loadu_si256((const __m256i*)(into + i));
        __m256i a1 = _mm256_loadu_si256((const __m256i*)(into + i + 4));
        __m256i b0 = _mm256_loadu_si256((const __m256i*)(from + i));
        __m256i b1 = _mm256_loadu_si256((const __m256i*)(from + i + 4));
        a0 = _mm256_blendv_epi8(a0, b0, _mm256_cmpgt_epi64(b0, a0));
        a1 = _mm256_blendv_epi8(a1, b1, _mm256_cmpgt_epi64(b1, a1));
        _mm256_storeu_si256((__m256i*)(into + i), a0);
        _mm256_storeu_si256((__m256i*)(into + i + 4), a1);
    }
    vines_maximum_portable(into + i, from + i, count - i);
}

VINES_TARGET("avx2")
static size_t vines_first_above_avx2(
    const uint64_t* a, const uint64_t* b, size_t start, size_t count)
{
    for (; start + 8 <= count; start += 8) {
        __m256i low = _mm256_cmpgt_epi64(
            _mm256_loadu_si256((const __m256i*)(a + start)),
            _mm256_loadu_si256((const __m256i*)(b + start)));
        __m256i high = _mm256_cmpgt_epi64(
            _mm256_loadu_si256((const __m256i*)(a + start + 4)),
            _mm256_loadu_si256((const __m256i*)(b + start + 4)));
        if (!_mm256_testz_si256(_mm256_or_si256(low, high), _mm256_or_si256(low, high)))
            break;
    }
    return vines_first_above_portable(a, b, start, count);
}

VINES_TARGET("avx512f")
static void vines_maximum_avx512(uint64_t* into, const uint64_t* from, size_t count)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512i a0 = _mm512_loadu_si512((const void*)(into + i));
        __m512i a1 = _mm512_loadu_si512((const void*)(into + i + 8));
        __m512i b0 = _mm512_loadu_si512((const void*)(from + i));
        __m512i b1 = _mm512_loadu_si512((const void*)(from + i + 8));
        _mm512_storeu_si512((void*)(into + i), _mm512_max_epu64(a0, b0));
        _mm512_storeu_si512((void*)(into + i + 8), _mm512_max_epu64(a1, b1));
    }
    vines_maximum_portable(into + i, from + i, count - i);
}

VINES_TARGET("avx512f")
static size_t vines_first_above_avx512(
    const uint64_t* a, const uint64_t* b, size_t start, size_t count)
{
    for (; start + 8 <= count; start += 8) {
        if (_mm512_cmpgt_epu64_mask(
                _mm512_loadu_si512((const void*)(a + start)),
                _mm512_loadu_si512((const void*)(b + start))))
            break;
    }
    return vines_first_above_portable(a, b, start, count);
}
#endif

#ifdef VINES_NEON
static void vines_maximum_neon(uint64_t* into, const uint64_t* from, size_t count)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint64x2_t a0 = vld1q_u64(into + i), a1 = vld1q_u64(into + i + 2);
        uint64x2_t b0 = vld1q_u64(from + i), b1 = vld1q_u64(from + i + 2);
        vst1q_u64(into + i, vbslq_u64(vcgtq_u64(b0, a0), b0, a0));
        vst1q_u64(into + i + 2, vbslq_u64(vcgtq_u64(b1, a1), b1, a1));
    }
    vines_maximum_portable(into + i, from + i, count - i);
}
#endif

typedef struct {
    const char* name;
    void (*maximum)(uint64_t*, const uint64_t*, size_t);
    size_t (*first_above)(const uint64_t*, const uint64_t*, size_t, size_t);
} vines_kernels;

#ifdef VINES_X86
/* 0: neither, 1: AVX2, 2: AVX-512F, each with the operating system saving its registers. */
static int vines_x86_level(void)
{
#ifdef _MSC_VER
    int id[4];
    unsigned long long saved;
    __cpuid(id, 0);
    if (id[0] < 7)
        return 0;
    __cpuid(id, 1);
    if (!(id[2] & (1 << 27)))
        return 0;
    saved = _xgetbv(0);
    __cpuidex(id, 7, 0);
    if ((id[1] & (1 << 16)) && (saved & 0xe6) == 0xe6)
        return 2;
    return (id[1] & (1 << 5)) && (saved & 0x06) == 0x06;
#else
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return 2;
    return __builtin_cpu_supports("avx2") ? 1 : 0;
#endif
}
#endif

/* Fills `list` with the kernels this machine has, the widest last; returns how many. */
static int vines_list_kernels(vines_kernels list[4])
{
    int count = 0;
    vines_kernels portable = {"portable", vines_maximum_portable, vines_first_above_portable};
    list[count++] = portable;
#ifdef VINES_X86
    int level = vines_x86_level();
    if (level >= 1) {
        vines_kernels avx2 = {"avx2", vines_maximum_avx2, vines_first_above_avx2};
        list[count++] = avx2;
    }
    if (level >= 2) {
        vines_kernels avx512 = {"avx512", vines_maximum_avx512, vines_first_above_avx512};
        list[count++] = avx512;
    }
#endif
#ifdef VINES_NEON
    vines_kernels neon = {"neon", vines_maximum_neon, vines_first_above_portable};
    list[count++] = neon;
#endif
    return count;
}

#endif
