/* winograd.h — 3×3 and 5×5 convolutions of stride 1 between few panels of 16 channels by Winograd's F(4×4, 3×3) and
 * F(2×2, 5×5), with all that belongs to a handful of tiles kept in the processor's caches. oneDNN's own Winograd walks
 * through memory between its steps, and with few channels that costs more than the multiplications it saves. */
#ifndef TC_COMPUTE_CPU_WINOGRAD_H
#define TC_COMPUTE_CPU_WINOGRAD_H

#include "compute/device.h"

enum {
    TC_WINOGRAD_LANES = 16, /* channels of a panel */
    TC_WINOGRAD_SIDE = 6,   /* of the input under a tile */
    TC_WINOGRAD_POINTS = TC_WINOGRAD_SIDE * TC_WINOGRAD_SIDE,
    TC_WINOGRAD_TILES = 16, /* taken through all steps together */
    TC_WINOGRAD_POINT = (TC_WINOGRAD_TILES + 1) * TC_WINOGRAD_LANES,
};

/* One direction: `in` and `out` are as that direction sees them. */
typedef struct tc_winograd {
    int taps;             /* a side of the window: 3 or 5; the padding is half of it */
    int n, h, w, in, out; /* in, out: panels */
    bool relu, accumulate;
} tc_winograd;

/* One instruction set's loops. `room`: tc_winograd_room floats a thread. */
typedef struct tc_winograd_loops {
    /* weights OIHW (backward: of the opposite direction, to be turned by 180° and transposed) into
     * [point][out][in · 16][16] */
    void (*pack)(const tc_device *device, const tc_winograd *g, const float *weights, bool backward, float *to);
    /* bias [out · 16] or NULL */
    void (*forward)(const tc_device *device, const tc_winograd *g, const float *packed, const float *bias,
                    const float *x, float *z, float *room);
    /* dw [out · 16][in · 16][taps][taps], db [out · 16] or NULL; `parts`: tc_winograd_parts(g) · tc_winograd_part(g) */
    void (*gradient)(const tc_device *device, const tc_winograd *g, const float *x, const float *dz, float *dw,
                     float *db, float *room, float *parts);
} tc_winograd_loops;

static inline size_t tc_winograd_packed(const tc_winograd *g) {
    return (size_t)TC_WINOGRAD_POINTS * (size_t)(g->in * g->out) * TC_WINOGRAD_LANES * TC_WINOGRAD_LANES;
}
/* Both sides of TC_WINOGRAD_TILES tiles, and a row of zeros. */
static inline size_t tc_winograd_room(const tc_winograd *g) {
    return (size_t)TC_WINOGRAD_POINTS * TC_WINOGRAD_POINT * (size_t)(g->in + g->out) + (size_t)g->w * TC_WINOGRAD_LANES;
}
static inline size_t tc_winograd_tiles(const tc_winograd *g) {
    const int side = TC_WINOGRAD_SIDE - g->taps + 1;
    return (size_t)g->n * (size_t)((g->h + side - 1) / side) * (size_t)((g->w + side - 1) / side);
}
static inline size_t tc_winograd_blocks(const tc_winograd *g) {
    return (tc_winograd_tiles(g) + TC_WINOGRAD_TILES - 1) / TC_WINOGRAD_TILES;
}
/* The tiles are cut into so many parts, by their number alone, whose gradients are added in order. */
static inline size_t tc_winograd_parts(const tc_winograd *g) {
    const size_t parts = tc_winograd_blocks(g) / 4;
    return parts < 1 ? 1 : parts > 16 ? 16 : parts;
}
static inline size_t tc_winograd_part(const tc_winograd *g) {
    return tc_winograd_packed(g) + (size_t)g->out * TC_WINOGRAD_LANES;
}

/* ---- a convolution's plan (winograd_plan.c); the functions mirror the kernel table's ---- */

typedef struct tc_winograd_plan tc_winograd_plan;

/* By geometry alone, never by a timing. */
bool tc_winograd_fits(const tc_device *device, const tc_convolution *g);
bool tc_winograd_fits_gradient(const tc_convolution *g); /* else the plan has no backward_weights */
tc_status tc_winograd_create(tc_device *device, const tc_convolution *g, tc_winograd_plan **plan, tc_error *error);
void tc_winograd_destroy(tc_winograd_plan *plan); /* NULL: nothing */
void tc_winograd_pack(tc_winograd_plan *plan, int which, const float *weights);
void tc_winograd_forward(const tc_winograd_plan *plan, int which, const float *x, const float *bias, float *z,
                         bool accumulate);
void tc_winograd_backward_data(const tc_winograd_plan *plan, int which, const float *dz, float *dx);
void tc_winograd_backward_weights(const tc_winograd_plan *plan, const float *x, const float *dz, float *dw, float *db,
                                  bool accumulate);

#endif
