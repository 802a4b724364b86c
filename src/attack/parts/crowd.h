/* crowd.h — perturbations of very many samples, half of a training set or all of it, walked in batches.
 *
 * A float for every value of 50,000 images of 32×32×3 is 600 MB, and an optimiser wants several. Between two visits a
 * perturbation is kept at one byte a value, in 127ths of ε (154 MB), and only one batch lies on the device. What a
 * visit loses by that is at most ε/254, 0.03 steps for ε = 8, where the steps of the attacks are 0.4 to 0.8.
 *
 * Sample-wise every poison has a perturbation of its own; class-wise all of a class share one, which is the mean of
 * what the batch's images of the class came to (Huang et al., arXiv 2101.04898). */
#ifndef TC_ATTACK_PARTS_CROWD_H
#define TC_ATTACK_PARTS_CROWD_H

#include "attack/parts/lens.h"

typedef struct tc_crowd {
    tc_device *device;
    const tc_dataset *dataset;
    const tc_threat *threat;
    bool class_wise;
    size_t batch;           /* the most samples that are loaded at once */
    size_t image;           /* values of an image */
    int8_t *kept;           /* [poisons, or classes][h][w][c]: δ in 127ths of ε */
    const uint8_t *rounded; /* [poisons][h][w][c], once tc_crowd_round has been there: what load then brings */

    /* the batch that is loaded */
    size_t n;
    uint32_t *member; /* [batch]: which poisons */
    int32_t *labels;  /* host [batch] */
    uint8_t *bytes;   /* host [batch][h][w][c] */
    float *host;      /* host [batch][h][w][c] */
    uint8_t *base8;   /* device [batch][h][w][c] */
    void *base;       /* the same as reals */
    void *delta;      /* device reals, in 8-bit steps */
    void *pixels;     /* device reals: base + δ */
    void *gradient;   /* device reals: ∇_pixels, summed up by whoever looks */
    tc_lens lens;
} tc_crowd;

/* shift, flip: of the lens. δ is zero until one of the starts. */
tc_status tc_crowd_create(tc_device *device, const tc_dataset *dataset, const tc_threat *threat, bool class_wise,
                          size_t batch, double shift, bool flip, tc_crowd *crowd, tc_error *error);
void tc_crowd_free(tc_crowd *crowd);

typedef enum tc_crowd_start { TC_START_UNIFORM, TC_START_NORMAL } tc_crowd_start;
/* δ ~ U(−ε, ε), or N(0, ε²) clipped to ±ε; of poison i from element i·image on of the stream. */
void tc_crowd_begin(tc_crowd *crowd, tc_crowd_start start, tc_stream stream);

/* Of `kept`, for whoever saves it. */
size_t tc_crowd_bytes(const tc_crowd *crowd);

/* Brings the poisons `member` [n], or [from, from + n) where that is NULL; pixels := base + δ, gradient := 0. */
void tc_crowd_load(tc_crowd *crowd, const uint32_t *member, size_t from, size_t n);
/* δ := its projection after δ + length · sign(gradient); pixels follow, gradient := 0. */
void tc_crowd_step(tc_crowd *crowd, double length);
/* δ of the batch := as tc_crowd_begin starts it with that stream, unkept: another attempt. Not class-wise. */
void tc_crowd_restart(tc_crowd *crowd, tc_crowd_start start, tc_stream stream);
/* Keeps the batch's δ. */
void tc_crowd_keep(tc_crowd *crowd);
/* Only that of the images that are `better` [n]. Not class-wise. */
void tc_crowd_keep_some(tc_crowd *crowd, const bool *better);

/* images [poisons][h][w][c] := base + what is kept of δ, in 8 bits, within ε. */
void tc_crowd_images(const tc_crowd *crowd, uint8_t *images);
/* The same for good: from now on load brings these. */
void tc_crowd_round(tc_crowd *crowd, uint8_t *images);

#endif
