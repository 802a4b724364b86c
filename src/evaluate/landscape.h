/* landscape.h — what a loss looks like around trained weights: Q(θ + a d₁ + b d₂) on a square grid of (a, b), along two
 * random directions (Li et al., "Visualizing the loss landscape of neural nets", NeurIPS 2018; SAPA, Fig. 3).
 *
 * The directions are filter-normalised: each filter of d (one output channel of a convolution, one row of a linear
 * layer) is a Gaussian draw, scaled to the length of the same filter of θ. Multiplying a layer's filters by a constant
 * that batch norm undoes would otherwise make the same network look sharper or flatter. Biases and batch norm's
 * parameters, tensors of rank 1, do not move, as in the paper. Batch norm uses its running statistics throughout. */
#ifndef TC_EVALUATE_LANDSCAPE_H
#define TC_EVALUATE_LANDSCAPE_H

#include "data/dataset.h"
#include "nn/weights.h"

enum { TC_LANDSCAPE_LARGEST = 201 };

typedef struct tc_landscape_options {
    double extent;    /* a and b run over [−extent, extent] */
    int n;            /* values a side: odd, so that the middle one is Q(θ); 3 … TC_LANDSCAPE_LARGEST */
    tc_stream stream; /* of the directions: landscapes of one stream and network can be laid side by side */
} tc_landscape_options;

/* value[i * n + j] := the mean cross-entropy of `count` 8-bit images [count][h][w][c] towards `labels`, at
 * a = extent (2j / (n − 1) − 1), b = extent (2i / (n − 1) − 1). For Q, images are the targets and labels the intended
 * class. progress and stop may be NULL; a stop ends with TC_INTERRUPTED. */
typedef struct tc_landscape_job {
    tc_device *device;
    const tc_model *model;
    const tc_weights *weights;
    const tc_dataset *dataset; /* size and normalisation of the images */
    const uint8_t *images;
    const int32_t *labels; /* [count] */
    size_t count;
    void (*progress)(void *context, double fraction);
    bool (*stop)(void *context);
    void *context;
} tc_landscape_job;

tc_status tc_landscape(const tc_landscape_job *job, const tc_landscape_options *options, double *value /* [n][n] */,
                       tc_error *error);

/* direction := direction `number` (0, 1) of the stream, filter-normalised for theta; host vectors [parameters]. */
void tc_landscape_direction(const tc_model *model, const float *theta, tc_stream stream, int number, float *direction);

#endif
