/* convolution.c — z = W ∗ a + b and its adjoints as seven nested loops.
 *
 * Three maps share one relation: output (o, r, c) and input (i, y, x) meet in weight W[o][i][ky][kx] where
 * y = r·stride + ky − padding, x = c·stride + kx − padding and i belongs to o's group. Forward sums over the inputs an
 * output meets, backward_data over the outputs an input meets, backward_weights over the places a weight is used.
 * Each result is one thread's, so the sums have one order. */
#include "compute/reference/kernels.h"

#include <stdlib.h>
#include <string.h>

struct tc_conv_plan {
    tc_convolution g;
    int ins, outs; /* channels of a group */
    int threads;
    size_t weights;                   /* O · I/groups · kernel · kernel */
    double *packed[2];                /* W and Ẇ, OIHW */
    size_t *in_channel, *out_channel; /* [c] how far channel c of a pixel lies from its channel 0 */
};

/* ---- plans ---- */

static tc_status channel_table(tc_shape shape, size_t **table, tc_error *error) {
    const tc_status status = tc_new(table, (size_t)shape.c, sizeof **table, error);
    if (status == TC_OK)
        for (int c = 0; c < shape.c; c++) (*table)[c] = tc_shape_index(shape, 0, 0, 0, c);
    return status;
}

tc_status tc_reference_conv_create(tc_device *device, const tc_convolution *geometry, tc_conv_plan **plan,
                                   tc_error *error) {
    tc_status status = TC_OK;
    tc_conv_plan *made = NULL;
    *plan = NULL;
    TC_TRY(tc_convolution_check(geometry, error));
    TC_TRY(tc_new(&made, 1, sizeof *made, error));
    made->g = *geometry;
    made->ins = geometry->in.c / geometry->groups;
    made->outs = geometry->out.c / geometry->groups;
    made->threads = device->threads;
    made->weights = (size_t)geometry->out.c * (size_t)made->ins * (size_t)(geometry->kernel * geometry->kernel);
    TC_TRY(channel_table(geometry->in, &made->in_channel, error));
    TC_TRY(channel_table(geometry->out, &made->out_channel, error));
    for (int which = 0; which < (geometry->tangents ? 2 : 1); which++)
        TC_TRY(tc_device_reals(device, made->weights, &made->packed[which], error));
    *plan = made;
    made = NULL;
done:
    tc_reference_conv_destroy(device, made);
    return status;
}

void tc_reference_conv_destroy(tc_device *device, tc_conv_plan *plan) {
    if (!plan) return;
    for (int which = 0; which < 2; which++) device->k->release(device, plan->packed[which]);
    free(plan->in_channel);
    free(plan->out_channel);
    free(plan);
}

void tc_reference_conv_pack(tc_conv_plan *plan, int which, const void *weights) {
    memcpy(plan->packed[which], weights, plan->weights * sizeof(double));
}

/* ---- who meets whom ---- */

static size_t weight_at(const tc_conv_plan *p, int o, int i, int ky, int kx) {
    return (((size_t)o * (size_t)p->ins + (size_t)i) * (size_t)p->g.kernel + (size_t)ky) * (size_t)p->g.kernel +
           (size_t)kx;
}

/* Σ over the window of output pixel (n, r, c) for output channel o. */
static double meet_inputs(const tc_conv_plan *p, const double *w, const double *x, int n, int r, int c, int o) {
    const tc_convolution *g = &p->g;
    const size_t *channel = p->in_channel + o / p->outs * p->ins;
    double sum = 0;
    for (int ky = 0; ky < g->kernel; ky++) {
        for (int kx = 0; kx < g->kernel; kx++) {
            const int y = r * g->stride + ky - g->padding, xx = c * g->stride + kx - g->padding;
            if (y < 0 || y >= g->in.h || xx < 0 || xx >= g->in.w) continue;
            const double *pixel = x + tc_shape_index(g->in, n, y, xx, 0);
            for (int i = 0; i < p->ins; i++) sum += w[weight_at(p, o, i, ky, kx)] * pixel[channel[i]];
        }
    }
    return sum;
}

/* Output coordinate whose window has input coordinate `at` under kernel position k; −1 where there is none. */
static int output_of(int at, int k, const tc_convolution *g, int size) {
    const int shifted = at + g->padding - k;
    return shifted >= 0 && shifted % g->stride == 0 && shifted / g->stride < size ? shifted / g->stride : -1;
}

/* Σ over the outputs that input pixel (n, y, x) feeds through channel i. */
static double meet_outputs(const tc_conv_plan *p, const double *w, const double *dz, int n, int y, int x, int i) {
    const tc_convolution *g = &p->g;
    const int group = i / p->ins;
    const size_t *channel = p->out_channel + group * p->outs;
    double sum = 0;
    for (int ky = 0; ky < g->kernel; ky++) {
        for (int kx = 0; kx < g->kernel; kx++) {
            const int r = output_of(y, ky, g, g->out.h), c = output_of(x, kx, g, g->out.w);
            if (r < 0 || c < 0) continue;
            const double *pixel = dz + tc_shape_index(g->out, n, r, c, 0);
            for (int o = 0; o < p->outs; o++)
                sum += w[weight_at(p, group * p->outs + o, i % p->ins, ky, kx)] * pixel[channel[o]];
        }
    }
    return sum;
}

static size_t pixel_step(tc_shape s) {
    return (size_t)s.block * (size_t)tc_shape_abreast(s);
}

/* Σ over images and pixels where weight (o, i, ky, kx) is used. */
static double meet_pixels(const tc_conv_plan *p, const double *x, const double *dz, int o, int i, int ky, int kx) {
    const tc_convolution *g = &p->g;
    const size_t from = p->in_channel[o / p->outs * p->ins + i], to = p->out_channel[o];
    /* From pixel to pixel of a row: all that tc_shape_index would say, without its divisions. */
    const size_t in_step = pixel_step(g->in), out_step = pixel_step(g->out);
    double sum = 0;
    for (int n = 0; n < g->in.n; n++) {
        for (int r = 0; r < g->out.h; r++) {
            const int y = r * g->stride + ky - g->padding;
            if (y < 0 || y >= g->in.h) continue;
            const double *dz_row = dz + tc_shape_index(g->out, n, r, 0, 0) + to;
            const double *x_row = x + tc_shape_index(g->in, n, y, 0, 0) + from;
            for (int c = 0; c < g->out.w; c++) {
                const int xx = c * g->stride + kx - g->padding;
                if (xx >= 0 && xx < g->in.w) sum += dz_row[(size_t)c * out_step] * x_row[(size_t)xx * in_step];
            }
        }
    }
    return sum;
}

/* ---- the three maps ---- */

/* The ReLU belongs to the value alone: tangents come with Ẇ or are accumulated, and are masked by whoever asked. */
void tc_reference_conv_forward(tc_conv_plan *plan, int which, const void *x, const void *bias, void *z,
                               bool accumulate) {
    const tc_shape out = plan->g.out;
    const bool relu = plan->g.relu && which == TC_WEIGHTS && !accumulate;
    double *to = z;
#pragma omp parallel for collapse(2) num_threads(plan->threads)
    for (int n = 0; n < out.n; n++) {
        for (int r = 0; r < out.h; r++) {
            for (int c = 0; c < out.w; c++) {
                for (int o = 0; o < out.c; o++) {
                    const size_t at = tc_shape_index(out, n, r, c, o);
                    double sum = meet_inputs(plan, plan->packed[which], x, n, r, c, o);
                    if (bias) sum += ((const double *)bias)[o];
                    if (accumulate) sum += to[at];
                    to[at] = relu && sum < 0 ? 0 : sum;
                }
            }
        }
    }
}

void tc_reference_conv_backward_data(tc_conv_plan *plan, int which, const void *dz, void *dx) {
    const tc_shape in = plan->g.in;
    double *to = dx;
#pragma omp parallel for collapse(2) num_threads(plan->threads)
    for (int n = 0; n < in.n; n++)
        for (int y = 0; y < in.h; y++)
            for (int x = 0; x < in.w; x++)
                for (int i = 0; i < in.c; i++)
                    to[tc_shape_index(in, n, y, x, i)] = meet_outputs(plan, plan->packed[which], dz, n, y, x, i);
}

static double channel_sum(tc_shape s, const double *x, int c) {
    double sum = 0;
    for (int n = 0; n < s.n; n++)
        for (int y = 0; y < s.h; y++)
            for (int xx = 0; xx < s.w; xx++) sum += x[tc_shape_index(s, n, y, xx, c)];
    return sum;
}

void tc_reference_conv_backward_weights(tc_conv_plan *plan, const void *x, const void *dz, void *dw, void *db,
                                        bool accumulate) {
    const int kernel = plan->g.kernel;
    double *weight = dw, *bias = db;
#pragma omp parallel for num_threads(plan->threads)
    for (int o = 0; o < plan->g.out.c; o++) {
        for (int i = 0; i < plan->ins; i++) {
            for (int k = 0; k < kernel * kernel; k++) {
                double *to = weight + weight_at(plan, o, i, k / kernel, k % kernel);
                *to = (accumulate ? *to : 0) + meet_pixels(plan, x, dz, o, i, k / kernel, k % kernel);
            }
        }
        if (bias) bias[o] = (accumulate ? bias[o] : 0) + channel_sum(plan->g.out, dz, o);
    }
}
