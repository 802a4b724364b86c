/* normals.h — normal deviates by the million: base/random.h's tc_normal_at for a run of elements, written so that the
 * compiler turns it into vector instructions. Private training draws one for each parameter in each step, and one at a
 * time they take several times as long as the step's gradient.
 *
 * The bits are the same; logarithm and cosine are polynomials that err by some units of the last place of a double, and
 * the result is rounded to single precision. In double precision the C library's functions are taken. Everything is
 * done with 64 bits to the element, so that nothing changes its width on the way. */
#ifndef TC_COMPUTE_PORTABLE_NORMALS_H
#define TC_COMPUTE_PORTABLE_NORMALS_H

#include "compute/portable/blocks.h"

/* Elements of a run, which begins at a multiple of that: an element's place in its vector is always the same. */
enum { PORTABLE_NORMALS = 64 };

/* A whole number below 2⁵² as a double: the bits of 2⁵² + n, less 2⁵². */
static inline double portable_whole(uint64_t n) {
    const uint64_t bits = n | 0x4330000000000000u;
    double sum;
    memcpy(&sum, &bits, sizeof sum);
    return sum - 0x1p52;
}

/* The upper 53 of 64 bits, which come as two words, as a number in [0, 2⁵³). */
static inline double portable_fifty_three(uint64_t low, uint64_t high) {
    return portable_whole(high) * 0x1p21 + portable_whole(low >> 11);
}

/* log u for u in (0, 1]: u = 2ᵉ m with m in (√½, √2], and log m = 2 artanh s with s = (m − 1)/(m + 1), |s| < 0.172. */
static inline double portable_log(double u) {
    uint64_t bits;
    double m;
    memcpy(&bits, &u, sizeof bits);
    const double e = portable_whole(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&m, &bits, sizeof m);
    const double half = m > 1.4142135623730951 ? 0.5 : 1, more = m > 1.4142135623730951 ? 1 : 0;
    const double s = (m * half - 1) / (m * half + 1), t = s * s;
    double sum = 1.0 / 19;
    sum = sum * t + 1.0 / 17;
    sum = sum * t + 1.0 / 15;
    sum = sum * t + 1.0 / 13;
    sum = sum * t + 1.0 / 11;
    sum = sum * t + 1.0 / 9;
    sum = sum * t + 1.0 / 7;
    sum = sum * t + 1.0 / 5;
    sum = sum * t + 1.0 / 3;
    sum = sum * t + 1;
    return 2 * s * sum + (e + more) * 0.69314718055994530942;
}

/* cos 2πv for v in [0, 1) = −sin 2πt with t = ¼ − |v − ½|, by Taylor's polynomial on |2πt| ≤ π/2. */
static inline double portable_cosine_of_turns(double v) {
    const double x = 6.283185307179586 * (0.25 - fabs(v - 0.5)), t = x * x;
    double sum = -1.0 / 121645100408832000;
    sum = sum * t + 1.0 / 355687428096000;
    sum = sum * t - 1.0 / 1307674368000;
    sum = sum * t + 1.0 / 6227020800;
    sum = sum * t - 1.0 / 39916800;
    sum = sum * t + 1.0 / 362880;
    sum = sum * t - 1.0 / 5040;
    sum = sum * t + 1.0 / 120;
    sum = sum * t - 1.0 / 6;
    sum = sum * t + 1;
    return -x * sum;
}

/* c[·][i] := the four words that tc_philox draws for element first + i. Round by round: the compiler makes vectors of a
 * loop without another in it. */
static inline void portable_words(uint64_t key, uint64_t first, uint64_t c[4][PORTABLE_NORMALS]) {
    const uint64_t word = 0xffffffffu;
    uint64_t k0 = key & word, k1 = key >> 32;
    PORTABLE_SIMD
    for (uint64_t i = 0; i < PORTABLE_NORMALS; i++) {
        c[0][i] = (first + i) & word;
        c[1][i] = (first + i) >> 32;
        c[2][i] = 0;
        c[3][i] = (uint64_t)1 << 31; /* the half of the counters that is the normal deviates' */
    }
    for (int round = 0; round < 10; round++) {
        PORTABLE_SIMD
        for (int i = 0; i < PORTABLE_NORMALS; i++) {
            const uint64_t p0 = 0xD2511F53u * c[0][i], p1 = 0xCD9E8D57u * c[2][i];
            c[0][i] = (p1 >> 32) ^ c[1][i] ^ k0;
            c[2][i] = (p0 >> 32) ^ c[3][i] ^ k1;
            c[1][i] = p1 & word;
            c[3][i] = p0 & word;
        }
        k0 = (k0 + 0x9E3779B9u) & word;
        k1 = (k1 + 0xBB67AE85u) & word;
    }
}

/* to[0 … PORTABLE_NORMALS) := elements from `first` on. */
static void portable_normals_single(uint64_t key, uint64_t first, double sigma, float *to) {
    uint64_t c[4][PORTABLE_NORMALS];
    portable_words(key, first, c);
    PORTABLE_SIMD
    for (int i = 0; i < PORTABLE_NORMALS; i++) {
        const double u = (portable_fifty_three(c[0][i], c[1][i]) + 0.5) * 0x1p-53;
        const double v = portable_fifty_three(c[2][i], c[3][i]) * 0x1p-53;
        to[i] = (float)(sigma * (sqrt(-2 * portable_log(u)) * portable_cosine_of_turns(v)));
    }
}

static void portable_normal(tc_device *device, size_t count, tc_stream stream, double sigma, void *y) {
    const size_t run = PORTABLE_NORMALS;
    real *to = y;
    PORTABLE_PARALLEL_COSTLY(count)
    for (size_t first = 0; first < count; first += run) {
        const size_t n = count - first < run ? count - first : run;
        if (sizeof(real) != sizeof(float)) {
            for (size_t i = first; i < first + n; i++) to[i] = (real)(sigma * tc_normal_at(stream, i));
        } else {
            float normals[PORTABLE_NORMALS];
            portable_normals_single(stream.key, first, sigma, normals);
            memcpy(to + first, normals, n * sizeof *normals);
        }
    }
}

#endif
