/* cut_out.c — Cut-Out: a square of each image is blanked, at a place drawn anew each time (DeVries and Taylor,
 * "Improved regularization of convolutional neural networks with cutout", arXiv 1708.04552).
 *
 * The centre is any pixel, so part of the square may lie outside. As in the paper's code the square comes after crop
 * and flip and is zero in normalised units: the mean colour. (That code halves an odd side downwards and so blanks a
 * pixel less; here a square of 5 has a side of 5.) */
#include "train/trainer.h"

static bool on(const tc_train_options *options) {
    return options->cutout > 0;
}

static tc_status check(const tc_train_options *options, const tc_dataset *dataset, const tc_model *model,
                       tc_error *error) {
    (void)model;
    const int side = dataset->height < dataset->width ? dataset->height : dataset->width;
    if (options->cutout < side) return TC_OK;
    return tc_raise(error, TC_INVALID, "cutout: a square of %lld pixels in images %d wide; take fewer",
                    (long long)options->cutout, side);
}

/* keep = take = 0 blanks. One draw gives both coordinates. */
static tc_blend square(tc_stream stream, uint32_t image, int side, int height, int width) {
    const uint64_t bits = tc_bits_at(stream, image);
    const int y = (int)(((bits & 0xffffffff) * (uint64_t)height) >> 32),
              x = (int)(((bits >> 32) * (uint64_t)width) >> 32);
    const int top = y - side / 2, left = x - side / 2;
    return (tc_blend){.from = image, .top = top, .left = left, .bottom = top + side, .right = left + side};
}

static void draw(const tc_trainer *t, void *own, const tc_drawing *drawing, void *rows) {
    const tc_dataset *data = t->view->dataset;
    const tc_stream stream = tc_stream_child(drawing->stream, "cut-out", 0);
    tc_blend *blend = rows;
    (void)own;
    for (int i = 0; i < drawing->n; i++)
        blend[i] = square(stream, (uint32_t)i, (int)t->options->cutout, data->height, data->width);
}

static void change(const tc_trainer *t, const void *own, const tc_batch *batch) {
    const tc_dataset *data = t->view->dataset;
    void *x = tc_pass_input(batch->pass);
    (void)own;
    t->device->k->blend(t->device, tc_nhwc(batch->n, data->height, data->width, data->channels), batch->rows, x, x);
}

const tc_variant tc_cut_out = {.name = "Cut-Out",
                               .size = 1, /* nothing but being on */
                               .row = sizeof(tc_blend),
                               .on = on,
                               .check = check,
                               .draw = draw,
                               .change = change};
