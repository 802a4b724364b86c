/* convolutions.h — a convolution asked for all that a pass and its tangents ask, on the reference and on a fast device.
 */
#ifndef TC_TESTS_COMPUTE_CONVOLUTIONS_H
#define TC_TESTS_COMPUTE_CONVOLUTIONS_H

#include "geometries.h"
#include "pairs.h"

static inline const char *name_of(const tc_convolution *g, const char *what) {
    static char text[200];
    snprintf(text, sizeof text, "%s of %dx%dx%dx%d/%d to %dx%dx%d/%d, kernel %d stride %d padding %d groups %d relu %d",
             what, g->in.n, g->in.h, g->in.w, g->in.c, g->in.block, g->out.h, g->out.w, g->out.c, g->out.block,
             g->kernel, g->stride, g->padding, g->groups, g->relu);
    return text;
}

static inline void make_plans(const tc_convolution *g, tc_conv_plan *plan[2]) {
    BOTH(d) {
        tc_error error = {0};
        if (ON(d, conv_create, g, &plan[d], &error) != TC_OK) fail_msg("%s: %s", name_of(g, "plan"), error.message);
    }
}

static inline void drop_plans(tc_conv_plan *plan[2]) {
    BOTH(d) ON(d, conv_destroy, plan[d]);
}

/* All that a training pass and its tangents ask of one plan. */
static inline void check_convolution(const tc_convolution *g) {
    tc_conv_plan *plan[2];
    const size_t ins = tc_shape_count(g->in), outs = tc_shape_count(g->out);
    const pair x = noise(ins), w = noise(weight_count(g)), w_t = noise(weight_count(g)), b = noise((size_t)g->out.c);
    const pair u = noise(outs), z = garbage(outs), z_t = garbage(outs), dx = garbage(ins), dx_t = garbage(ins);
    const pair dw = garbage(weight_count(g)), db = garbage((size_t)g->out.c), dw_only = garbage(weight_count(g));
    make_plans(g, plan);
    BOTH(d) {
        const tc_kernels *k = device[d]->k;
        const uint64_t allocations = device[d]->allocations;
        k->conv_pack(plan[d], TC_WEIGHTS, w.at[d]);
        k->conv_pack(plan[d], TC_WEIGHTS_T, w_t.at[d]);
        k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], b.at[d], z.at[d], false);
        k->conv_forward(plan[d], TC_WEIGHTS_T, x.at[d], b.at[d], z_t.at[d], false);
        k->conv_forward(plan[d], TC_WEIGHTS, x.at[d], NULL, z_t.at[d], true);
        k->conv_backward_data(plan[d], TC_WEIGHTS, u.at[d], dx.at[d]);
        k->conv_backward_data(plan[d], TC_WEIGHTS_T, u.at[d], dx_t.at[d]);
        k->conv_backward_weights(plan[d], x.at[d], u.at[d], dw.at[d], db.at[d], false);
        k->conv_backward_weights(plan[d], x.at[d], z.at[d], dw.at[d], db.at[d], true);
        k->conv_backward_weights(plan[d], x.at[d], u.at[d], dw_only.at[d], NULL, false);
        assert_int_equal(device[d]->allocations, allocations); /* a pass stands still */
    }
    same(z, name_of(g, "forward"));
    same(z_t, name_of(g, "forward tangent"));
    same(dx, name_of(g, "backward_data"));
    same(dx_t, name_of(g, "backward_data with tangent weights"));
    same(dw, name_of(g, "backward_weights"));
    same(db, name_of(g, "bias gradient"));
    same(dw_only, name_of(g, "backward_weights without a bias"));
    drop_plans(plan);
}

#endif
