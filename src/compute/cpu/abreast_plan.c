/* abreast_plan.c — which convolutions go by abreast.c, and what such a plan holds: weights in its order for either way,
 * values and tangents; room for a side that is NHWC; parts of the gradient. */
#include "compute/cpu/abreast.h"
#include "compute/cpu/loop_memory.h"
#include "compute/cpu/onednn.h"

#include <stdlib.h>

struct tc_abreast_plan {
    tc_device *device;
    const tc_abreast_loops *loops;
    bool relu;
    tc_abreast way[TC_WAYS];
    tc_loop_memory memory;
};

/* Both sides are abreast, or NHWC at the network's input. */
bool tc_abreast_fits(const tc_convolution *g) {
    const bool in = g->in.abreast == TC_ABREAST || (g->in.abreast <= 1 && g->in.block == g->in.c);
    return g->stride == 1 && g->groups == 1 && g->kernel <= TC_ABREAST_KERNEL && in && g->out.abreast == TC_ABREAST &&
           g->padding < g->kernel;
}

/* From `in` to `out`, which are the convolution's own or, on the way back, exchanged. */
static tc_abreast geometry(tc_shape in, tc_shape out, int kernel, int padding) {
    return (tc_abreast){.n = in.n,
                        .ic = in.c,
                        .ih = in.h,
                        .iw = in.w,
                        .oc = out.c,
                        .oh = out.h,
                        .ow = out.w,
                        .kernel = kernel,
                        .padding = padding,
                        .in_plain = in.abreast <= 1,
                        .out_plain = out.abreast <= 1};
}

tc_status tc_abreast_create(tc_device *device, const tc_convolution *g, tc_abreast_plan **plan, tc_error *error) {
    tc_abreast_plan *made = NULL;
    tc_status status = TC_OK;
    *plan = NULL;
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    *made = (tc_abreast_plan){.device = device,
                              .loops = tc_cpu_state_of(device)->abreast,
                              .relu = g->relu,
                              .way = {[TC_AHEAD] = geometry(g->in, g->out, g->kernel, g->padding),
                                      [TC_BACK] = geometry(g->out, g->in, g->kernel, g->kernel - 1 - g->padding)}};
    const tc_abreast *ahead = &made->way[TC_AHEAD];
    const size_t part = tc_abreast_part(ahead), parts = g->forward_only ? 0 : (size_t)tc_abreast_parts(ahead) * part;
    TC_TRY(tc_loop_memory_create(device, g, part, tc_abreast_room(ahead), parts, &made->memory, error));
    *plan = made;
done:
    if (status != TC_OK) tc_abreast_destroy(made);
    return status;
}

void tc_abreast_destroy(tc_abreast_plan *plan) {
    if (!plan) return;
    tc_loop_memory_free(plan->device, &plan->memory);
    free(plan);
}

void tc_abreast_pack(tc_abreast_plan *plan, int which, const float *weights) {
    for (int way = 0; way < TC_WAYS; way++) {
        const tc_abreast *g = &plan->way[way];
        if (plan->memory.packed[way][which])
            plan->loops->pack(g->oc, g->ic, g->kernel * g->kernel, weights, way == TC_BACK,
                              plan->memory.packed[way][which]);
    }
}

void tc_abreast_forward(const tc_abreast_plan *plan, int which, const float *x, const float *bias, float *z,
                        bool accumulate) {
    tc_abreast g = plan->way[TC_AHEAD];
    g.accumulate = accumulate;
    g.relu = plan->relu && which == TC_WEIGHTS && !accumulate;
    plan->loops->forward(plan->device, &g, plan->memory.packed[TC_AHEAD][which], bias, x, z, plan->memory.room);
}

void tc_abreast_backward_data(const tc_abreast_plan *plan, int which, const float *dz, float *dx) {
    plan->loops->forward(plan->device, &plan->way[TC_BACK], plan->memory.packed[TC_BACK][which], NULL, dz, dx,
                         plan->memory.room);
}

void tc_abreast_backward_weights(const tc_abreast_plan *plan, const float *x, const float *dz, float *dw, float *db,
                                 bool accumulate) {
    tc_abreast g = plan->way[TC_AHEAD];
    g.accumulate = accumulate;
    plan->loops->gradient(plan->device, &g, x, dz, dw, db, plan->memory.room, plan->memory.parts);
}

void tc_abreast_squares(const tc_abreast_plan *plan, bool bias, const float *x, const float *dz, float *squares) {
    plan->loops->squares(plan->device, &plan->way[TC_AHEAD], bias, x, dz, squares, plan->memory.room);
}
