#include "data/augment.h"

/* A whole number in [−crop, crop] from 24 of the 64 bits: one draw serves a sample. */
static float whole_shift(uint64_t bits, int64_t crop) {
    return (float)((int64_t)(((bits & 0xffffff) * (uint64_t)(2 * crop + 1)) >> 24) - crop);
}

tc_warp tc_warp_for_training(tc_stream stream, uint64_t sample, int64_t crop, bool flip) {
    const uint64_t bits = tc_bits_at(stream, sample);
    return (tc_warp){whole_shift(bits, crop), whole_shift(bits >> 24, crop), flip && bits >> 63};
}

tc_warp tc_warp_for_crafting(tc_stream stream, uint64_t sample, double reach, bool flip) {
    return (tc_warp){(float)(reach * (2 * tc_uniform_at(stream, 3 * sample) - 1)),
                     (float)(reach * (2 * tc_uniform_at(stream, 3 * sample + 1) - 1)),
                     flip && tc_uniform_at(stream, 3 * sample + 2) < 0.5};
}
