/* winograd_plan.c — which convolutions go by winograd.c, and what such a plan holds: transformed weights for either
 * way, values and tangents; scratch of each thread; parts of the gradient. */
#include "compute/cpu/loop_memory.h"
#include "compute/cpu/onednn.h"
#include "compute/cpu/winograd.h"

#include <stdlib.h>

/* Up to how many channels the transformed weights fit the second-level cache beside the tiles; and between how many
 * pairs of panels the gradient's sums do. */
enum { MOST_CHANNELS = 128, MOST_PAIRS = 4 };

struct tc_winograd_plan {
    tc_device *device;
    const tc_winograd_loops *loops;
    bool relu, first;
    tc_winograd way[TC_WAYS];
    tc_loop_memory memory;
};

bool tc_winograd_fits(const tc_device *device, const tc_convolution *g) {
    return tc_cpu_state_of(device)->winograd[0] && device->channel_block == TC_WINOGRAD_LANES && !g->direct &&
           (g->kernel == 3 || g->kernel == 5) && g->stride == 1 && g->padding == g->kernel / 2 && g->groups == 1 &&
           g->in.block == TC_WINOGRAD_LANES && g->out.block == TC_WINOGRAD_LANES && g->in.c <= MOST_CHANNELS &&
           g->out.c <= MOST_CHANNELS;
}

bool tc_winograd_fits_gradient(const tc_convolution *g) {
    return g->in.c / TC_WINOGRAD_LANES * (g->out.c / TC_WINOGRAD_LANES) <= MOST_PAIRS;
}

tc_status tc_winograd_create(tc_device *device, const tc_convolution *g, tc_winograd_plan **plan, tc_error *error) {
    const int in = g->in.c / TC_WINOGRAD_LANES, out = g->out.c / TC_WINOGRAD_LANES;
    tc_winograd_plan *made = NULL;
    tc_status status = TC_OK;
    *plan = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    *made = (tc_winograd_plan){.device = device,
                               .loops = tc_cpu_state_of(device)->winograd[g->kernel == 5],
                               .relu = g->relu,
                               .first = g->first,
                               .way = {[TC_AHEAD] = {g->kernel, g->in.n, g->in.h, g->in.w, in, out, false, false},
                                       [TC_BACK] = {g->kernel, g->in.n, g->in.h, g->in.w, out, in, false, false}}};
    const tc_winograd *ahead = &made->way[TC_AHEAD];
    const bool sums = !g->forward_only && tc_winograd_fits_gradient(g);
    const size_t room = (size_t)device->threads * tc_winograd_room(ahead);
    const size_t parts = sums ? tc_winograd_parts(ahead) * tc_winograd_part(ahead) : 0;
    TC_TRY(tc_loop_memory_create(device, g, tc_winograd_packed(ahead), room, parts, &made->memory, error));
    *plan = made;
done:
    if (status != TC_OK) tc_winograd_destroy(made);
    return status;
}

void tc_winograd_destroy(tc_winograd_plan *plan) {
    if (!plan) return;
    tc_loop_memory_free(plan->device, &plan->memory);
    free(plan);
}

void tc_winograd_pack(tc_winograd_plan *plan, int which, const float *weights) {
    for (int way = 0; way < TC_WAYS; way++)
        if (plan->memory.packed[way][which])
            plan->loops->pack(plan->device, &plan->way[way], weights, way == TC_BACK, plan->memory.packed[way][which]);
}

void tc_winograd_forward(const tc_winograd_plan *plan, int which, const float *x, const float *bias, float *z,
                         bool accumulate) {
    tc_winograd g = plan->way[TC_AHEAD];
    g.accumulate = accumulate;
    g.relu = plan->relu && which == TC_WEIGHTS && !accumulate;
    plan->loops->forward(plan->device, &g, plan->memory.packed[TC_AHEAD][which], bias, x, z, plan->memory.room);
}

void tc_winograd_backward_data(const tc_winograd_plan *plan, int which, const float *dz, float *dx) {
    plan->loops->forward(plan->device, &plan->way[TC_BACK], plan->memory.packed[TC_BACK][which], NULL, dz, dx,
                         plan->memory.room);
}

void tc_winograd_backward_weights(const tc_winograd_plan *plan, const float *x, const float *dz, float *dw, float *db,
                                  bool accumulate) {
    tc_winograd g = plan->way[TC_AHEAD];
    g.accumulate = accumulate;
    plan->loops->gradient(plan->device, &g, x, dz, dw, db, plan->memory.room, plan->memory.parts);
}
