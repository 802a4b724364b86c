#include "base/random.h"

#include <math.h>

static void philox_round(uint32_t c[4], const uint32_t k[2]) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k[0];
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k[1];
    c[3] = (uint32_t)p0;
}

void tc_philox(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t out[4]) {
    uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    out[0] = (uint32_t)counter_low;
    out[1] = (uint32_t)(counter_low >> 32);
    out[2] = (uint32_t)counter_high;
    out[3] = (uint32_t)(counter_high >> 32);
    for (int round = 0; round < 10; round++) {
        philox_round(out, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
}

/* Elements and child keys come from different halves of the counter space, so they never meet. */
enum { DRAWS = 0, CHILDREN = 1 };

tc_stream tc_stream_make(uint64_t seed) {
    return tc_stream_child((tc_stream){.key = seed}, "tocsin", 0);
}

tc_stream tc_stream_child(tc_stream parent, const char *purpose, uint64_t number) {
    uint64_t name = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *c = purpose; *c; c++) name = (name ^ (unsigned char)*c) * 0x100000001b3u;
    uint32_t first[4], second[4];
    tc_philox(parent.key, name, CHILDREN, first);
    tc_philox(((uint64_t)first[1] << 32 | first[0]), number, CHILDREN, second);
    return (tc_stream){.key = (uint64_t)second[1] << 32 | second[0]};
}

uint64_t tc_bits_at(tc_stream stream, uint64_t index) {
    uint32_t out[4];
    tc_philox(stream.key, index >> 1, DRAWS, out);
    return index & 1 ? (uint64_t)out[3] << 32 | out[2] : (uint64_t)out[1] << 32 | out[0];
}

double tc_uniform_at(tc_stream stream, uint64_t index) {
    return (double)(tc_bits_at(stream, index) >> 11) * 0x1p-53;
}

/* Box–Muller on one 128-bit block per element: no rejection, so element i costs the same from anywhere. */
double tc_normal_at(tc_stream stream, uint64_t index) {
    uint32_t out[4];
    tc_philox(stream.key, index, (uint64_t)1 << 63, out);
    const double u = ((double)(((uint64_t)out[1] << 32 | out[0]) >> 11) + 0.5) * 0x1p-53;
    const double v = (double)(((uint64_t)out[3] << 32 | out[2]) >> 11) * 0x1p-53;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t tc_draw_bits(tc_stream *stream) {
    return tc_bits_at(*stream, stream->position++);
}

double tc_draw_uniform(tc_stream *stream) {
    return tc_uniform_at(*stream, stream->position++);
}

double tc_draw_normal(tc_stream *stream) {
    return tc_normal_at(*stream, stream->position++);
}

uint64_t tc_draw_below(tc_stream *stream, uint64_t bound) {
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound; /* a multiple of bound: draws above it would be biased */
    uint64_t bits;
    do bits = tc_draw_bits(stream);
    while (bits >= limit);
    return bits % bound;
}

void tc_draw_permutation(tc_stream *stream, uint32_t *order, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const size_t j = (size_t)tc_draw_below(stream, i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
}
