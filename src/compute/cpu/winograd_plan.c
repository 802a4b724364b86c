/* winograd_plan.c — which convolutions go by winograd.c, and what such a plan holds: transformed weights for either
 * way, values and tangents; scratch of each thread; parts of the gradient. */
#include "compute/cpu/onednn.h"
#include "compute/cpu/winograd.h"

#include <stdlib.h>

/* Up to how many channels the transformed weights fit the second-level cache beside the tiles; and between how many
 * pairs of panels the gradient's sums do. */
enum { MOST_CHANNELS = 128, MOST_PAIRS = 4 };
enum { AHEAD, BACK, WAYS };

struct tc_winograd_plan {
    tc_device *device;
    const tc_winograd_loops *loops;
    bool relu, first;
    tc_winograd way[WAYS];
    float *packed[WAYS][2]; /* [·][TC_WEIGHTS, TC_WEIGHTS_T] */
    float *room, *parts;
};

bool tc_winograd_fits(const tc_device *device, const tc_convolution *g) {
    return device->channel_block == TC_WINOGRAD_LANES && !g->direct && (g->kernel == 3 || g->kernel == 5) &&
           g->stride == 1 && g->padding == g->kernel / 2 && g->groups == 1 && g->in.block == TC_WINOGRAD_LANES &&
           g->out.block == TC_WINOGRAD_LANES && g->in.c <= MOST_CHANNELS && g->out.c <= MOST_CHANNELS;
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
                               .way = {[AHEAD] = {g->kernel, g->in.n, g->in.h, g->in.w, in, out, false, false},
                                       [BACK] = {g->kernel, g->in.n, g->in.h, g->in.w, out, in, false, false}}};
    const tc_winograd *ahead = &made->way[AHEAD];
    for (int way = 0; way < (g->first ? 1 : WAYS); way++)
        for (int which = 0; which < (g->tangents ? 2 : 1); which++)
            TC_TRY(tc_device_reals(device, tc_winograd_packed(ahead), &made->packed[way][which], error));
    TC_TRY(tc_device_reals(device, (size_t)device->threads * tc_winograd_room(ahead), &made->room, error));
    if (!g->forward_only && tc_winograd_fits_gradient(g))
        TC_TRY(tc_device_reals(device, tc_winograd_parts(ahead) * tc_winograd_part(ahead), &made->parts, error));
    *plan = made;
done:
    if (status != TC_OK) tc_winograd_destroy(made);
    return status;
}

void tc_winograd_destroy(tc_winograd_plan *plan) {
    if (!plan) return;
    void *held[] = {plan->packed[AHEAD][0],
                    plan->packed[AHEAD][1],
                    plan->packed[BACK][0],
                    plan->packed[BACK][1],
                    plan->room,
                    plan->parts};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) plan->device->k->release(plan->device, held[i]);
    free(plan);
}

void tc_winograd_pack(tc_winograd_plan *plan, int which, const float *weights) {
    for (int way = 0; way < WAYS; way++)
        if (plan->packed[way][which])
            plan->loops->pack(plan->device, &plan->way[way], weights, way == BACK, plan->packed[way][which]);
}

void tc_winograd_forward(const tc_winograd_plan *plan, int which, const float *x, const float *bias, float *z,
                         bool accumulate) {
    tc_winograd g = plan->way[AHEAD];
    g.accumulate = accumulate;
    g.relu = plan->relu && which == TC_WEIGHTS && !accumulate;
    plan->loops->forward(plan->device, &g, plan->packed[AHEAD][which], bias, x, z, plan->room);
}

void tc_winograd_backward_data(const tc_winograd_plan *plan, int which, const float *dz, float *dx) {
    plan->loops->forward(plan->device, &plan->way[BACK], plan->packed[BACK][which], NULL, dz, dx, plan->room);
}

void tc_winograd_backward_weights(const tc_winograd_plan *plan, const float *x, const float *dz, float *dw, float *db,
                                  bool accumulate) {
    tc_winograd g = plan->way[AHEAD];
    g.accumulate = accumulate;
    plan->loops->gradient(plan->device, &g, x, dz, dw, db, plan->room, plan->parts);
}
