/* samples.h — a training set on the device, and how a batch of it gets into a pass.
 *
 * The 8-bit images (with the poison laid over them) are uploaded once. What the k-th sample of epoch e is, and how it
 * is shifted and flipped, is read from the stream at (e, k): it depends neither on the batch size nor on threads. */
#ifndef TC_TRAIN_SAMPLES_H
#define TC_TRAIN_SAMPLES_H

#include "nn/pass.h"
#include "train/train.h"

typedef struct tc_samples {
    tc_device *device;
    const tc_dataset *dataset;
    tc_stream stream;
    int64_t crop;
    bool flip;
    size_t count, kept;
    const uint8_t *keep;  /* host [count]: 0 sits out; NULL: all take part */
    int batch;            /* the most that one load can bring */
    bool augment;         /* crop or flip is on */
    uint8_t *images;      /* device [count][h][w][c] */
    int32_t *labels;      /* host [count] */
    uint32_t *order;      /* host [count + batch]: the epoch's permutation; or a lot and what fills up its last pass */
    uint32_t *index;      /* device [batch] */
    tc_warp *warp;        /* device [batch] */
    tc_warp *host_warp;   /* [batch] */
    int32_t *host_labels; /* [batch]: of the last load */
} tc_samples;

tc_status tc_samples_create(tc_device *device, const tc_view *view, const tc_train_options *options, tc_stream stream,
                            int batch, tc_samples *samples, tc_error *error);
/* Brings the view's images again, which someone has changed; their number and their labels are as before. */
void tc_samples_renew(tc_samples *samples, const tc_view *view);
void tc_samples_free(tc_samples *samples);
/* Shuffles those kept for `epoch`, counted from 0; sets how many they are. */
void tc_samples_begin_epoch(tc_samples *samples, int64_t epoch);
/* In the place of an epoch's order: each sample with probability q, for a lot of its own, and then, `batch` times, one
 * of them that fills up a pass. Returns how many are in the lot. */
size_t tc_samples_draw_lot(tc_samples *samples, int64_t lot, double q);
/* How the sample at each of [from, from + n) of the order is shifted and flipped in this round. */
void tc_samples_warps(const tc_samples *samples, int64_t round, size_t from, size_t n, tc_warp *warps);
/* Samples [from, from + n) of the epoch's order, to be shown: index and warp, and labels to the pass's labels. The
 * augmentation is read at (round, place); round is the epoch, or the lot. */
void tc_samples_bring(tc_samples *samples, int64_t round, size_t from, int n, tc_pass *pass);
/* The n images of samples->index, warped by samples->warp where they are augmented, to the input. */
void tc_samples_show(const tc_samples *samples, int n, tc_pass *pass);

#endif
