/* abreast.h — stride-1 convolutions between few channels, with 16 images side by side in the vector lanes
 * ([n/16][c][h][w][16], compute/shape.h). oneDNN's kernels put channels there and leave most lanes empty on networks
 * like LeNet. Here every lane is full, every load aligned, and taps beyond the border are left out instead of padded.
 */
#ifndef TC_COMPUTE_CPU_ABREAST_H
#define TC_COMPUTE_CPU_ABREAST_H

#include "compute/device.h"

enum {
    TC_ABREAST = 16,
    TC_ABREAST_CHANNELS = 32, /* at most, for a network to be laid out so */
    TC_ABREAST_KERNEL = 7,    /* at most */
};

typedef struct tc_abreast {
    int n, ic, ih, iw, oc, oh, ow;
    int kernel, padding;
    bool in_plain, out_plain; /* that side is NHWC: the network's input */
    bool relu, accumulate;
} tc_abreast;

/* One instruction set's loops. `room`: tc_abreast_room floats; `parts`: tc_abreast_parts · tc_abreast_part floats. */
typedef struct tc_abreast_loops {
    /* Weights, OIHW, in the order that `forward` reads them. flipped: for the way back, whose outputs are the
     * convolution's inputs. to [oc][ic][k][k] in another order */
    void (*pack)(int oc, int ic, int taps, const float *weights, bool flipped, float *to);
    /* bias [oc] or NULL */
    void (*forward)(const tc_device *device, const tc_abreast *g, const float *weights, const float *bias,
                    const float *x, float *z, float *room);
    /* dw [oc][ic][k][k], db [oc] or NULL; both added to where g->accumulate */
    void (*gradient)(const tc_device *device, const tc_abreast *g, const float *x, const float *dz, float *dw,
                     float *db, float *room, float *parts);
    /* squares [groups][16] += of each image's own dw, and of its db where `bias` */
    void (*squares)(const tc_device *device, const tc_abreast *g, bool bias, const float *x, const float *dz,
                    float *squares, float *room);
} tc_abreast_loops;

static inline int tc_abreast_groups(const tc_abreast *g) {
    return (g->n + TC_ABREAST - 1) / TC_ABREAST;
}

/* A side that is NHWC is brought abreast, or back, through memory of its own. */
static inline size_t tc_abreast_room(const tc_abreast *g) {
    const size_t in = g->in_plain ? (size_t)g->ic * (size_t)g->ih * (size_t)g->iw : 0,
                 out = g->out_plain ? (size_t)g->oc * (size_t)g->oh * (size_t)g->ow : 0;
    return (size_t)tc_abreast_groups(g) * TC_ABREAST * (in + out);
}

/* The batch is cut into so many parts, by its size alone, whose weight gradients are added in order. */
static inline int tc_abreast_parts(const tc_abreast *g) {
    const int groups = tc_abreast_groups(g);
    return groups > 64 ? 64 : groups;
}
static inline size_t tc_abreast_part(const tc_abreast *g) {
    return (size_t)g->oc * (size_t)g->ic * (size_t)g->kernel * (size_t)g->kernel + (size_t)g->oc;
}

/* ---- a convolution's plan (abreast_plan.c); the functions mirror the kernel table's ---- */

typedef struct tc_abreast_plan tc_abreast_plan;

bool tc_abreast_fits(const tc_convolution *g);
tc_status tc_abreast_create(tc_device *device, const tc_convolution *g, tc_abreast_plan **plan, tc_error *error);
void tc_abreast_destroy(tc_abreast_plan *plan); /* NULL: nothing */
void tc_abreast_pack(tc_abreast_plan *plan, int which, const float *weights);
void tc_abreast_forward(const tc_abreast_plan *plan, int which, const float *x, const float *bias, float *z,
                        bool accumulate);
void tc_abreast_backward_data(const tc_abreast_plan *plan, int which, const float *dz, float *dx);
void tc_abreast_backward_weights(const tc_abreast_plan *plan, const float *x, const float *dz, float *dw, float *db,
                                 bool accumulate);
void tc_abreast_squares(const tc_abreast_plan *plan, bool bias, const float *x, const float *dz, float *squares);

#endif
