/* planes.h — stride-1 convolutions between few channels, stored as planes (NCHW: panels of one channel). oneDNN's
 * kernels put channels into vector lanes and leave most of them empty on networks like LeNet; these put 16 neighbouring
 * pixels there. */
#ifndef TC_COMPUTE_CPU_PLANES_H
#define TC_COMPUTE_CPU_PLANES_H

#include "compute/device.h"

enum { TC_PLANE_LANES = 16, TC_PLANE_CHANNELS = 16 /* at most, for the network to be laid out as planes */ };

typedef struct tc_planes {
    int n, ic, ih, iw, oc, oh, ow;
    int kernel, padding;
    bool in_nhwc, out_nhwc; /* that side is plain NHWC, not planes */
    bool relu, accumulate;
} tc_planes;

/* One instruction set's loops. `room`: per thread, tc_planes_room floats; `parts`: tc_planes_parts_floats. */
typedef struct tc_plane_loops {
    /* weights packed by tc_planes_pack; bias [oc] or NULL */
    void (*forward)(const tc_device *device, const tc_planes *g, const float *weights, const float *bias,
                    const float *x, float *z, float *room);
    /* dw [oc][ic][k][k], db [oc] or NULL; both added to where g->accumulate */
    void (*gradient)(const tc_device *device, const tc_planes *g, const float *x, const float *dz, float *dw, float *db,
                     float *room, float *parts);
} tc_plane_loops;

/* As many output channels are computed together as there are registers for, on two vectors each. */
static inline int tc_planes_tile(int left) {
    return left >= 8 ? 8 : left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* What a tile reads at one tap lies together: [tile][ic][k][k][channels of the tile]. flipped: for the way back, whose
 * outputs are the convolution's inputs; `weights` are the convolution's own, OIHW. */
static inline void tc_planes_pack(int oc, int ic, int taps, const float *weights, bool flipped, float *to) {
    for (int o = 0; o < oc; o += tc_planes_tile(oc - o))
        for (int i = 0; i < ic; i++)
            for (int t = 0; t < taps; t++)
                for (int a = 0; a < tc_planes_tile(oc - o); a++)
                    *to++ = flipped ? weights[(i * oc + o + a) * taps + (taps - 1 - t)]
                                    : weights[((o + a) * ic + i) * taps + t];
}

/* Rows of a padded plane: `behind` more zeros than the window needs, so that vectors may hang over. */
static inline size_t tc_planes_row(const tc_planes *g) {
    return (size_t)(g->iw + 2 * g->padding + 2 * TC_PLANE_LANES);
}
static inline size_t tc_planes_out_row(const tc_planes *g) {
    return (size_t)((g->ow + TC_PLANE_LANES - 1) / TC_PLANE_LANES * TC_PLANE_LANES);
}
static inline size_t tc_planes_padded(const tc_planes *g) {
    return (size_t)g->ic * (size_t)(g->ih + 2 * g->padding + 1) * tc_planes_row(g);
}
static inline size_t tc_planes_room(const tc_planes *g) {
    return tc_planes_padded(g) + (size_t)g->oc * (size_t)(g->oh + 1) * (tc_planes_out_row(g) + TC_PLANE_LANES);
}
static inline size_t tc_planes_weights(const tc_planes *g) {
    return (size_t)g->oc * (size_t)g->ic * (size_t)g->kernel * (size_t)g->kernel;
}
/* The batch is cut into so many parts, by its size alone, whose gradients are added in order. */
static inline int tc_planes_parts(const tc_planes *g) {
    const int parts = g->n / 8;
    return parts < 1 ? 1 : parts > 16 ? 16 : parts;
}
static inline size_t tc_planes_part(const tc_planes *g) {
    return (tc_planes_weights(g) + (size_t)g->oc) * TC_PLANE_LANES;
}

#endif
