/* augment.c — three elements of the stream a sample: across, down, flip. */
#include "data/augment.h"

#include <math.h>

static int32_t draw_flip(tc_stream stream, uint64_t sample, bool flip) {
    return flip && tc_uniform_at(stream, 3 * sample + 2) < 0.5;
}

tc_warp tc_warp_for_training(tc_stream stream, uint64_t sample, int crop, bool flip) {
    const double places = 2.0 * crop + 1;
    const double dx = floor(places * tc_uniform_at(stream, 3 * sample)) - crop;
    const double dy = floor(places * tc_uniform_at(stream, 3 * sample + 1)) - crop;
    return (tc_warp){(float)dx, (float)dy, draw_flip(stream, sample, flip)};
}

tc_warp tc_warp_for_crafting(tc_stream stream, uint64_t sample, double reach, bool flip) {
    const double dx = reach * (2 * tc_uniform_at(stream, 3 * sample) - 1);
    const double dy = reach * (2 * tc_uniform_at(stream, 3 * sample + 1) - 1);
    return (tc_warp){(float)dx, (float)dy, draw_flip(stream, sample, flip)};
}

void tc_warps_for_training(tc_stream stream, uint64_t first, size_t count, int crop, bool flip, tc_warp *warps) {
    for (size_t i = 0; i < count; i++) warps[i] = tc_warp_for_training(stream, first + i, crop, flip);
}

void tc_warps_for_crafting(tc_stream stream, uint64_t first, size_t count, double reach, bool flip, tc_warp *warps) {
    for (size_t i = 0; i < count; i++) warps[i] = tc_warp_for_crafting(stream, first + i, reach, flip);
}
