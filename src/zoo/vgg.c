/* vgg.c — VGG-11, -13 and -16 with batch norm (Simonyan and Zisserman 2015), in the CIFAR form that the field takes
 * from pytorch-cifar: 3×3 convolutions with bias, batch norm and ReLU, five stages that end in max pool 2, one linear
 * layer.
 *
 * Names are that network's: features.I counts every module of its nn.Sequential (convolution, batch norm, ReLU, pool),
 * then `classifier`. From 64 pixels on, where more than one position is left after the fifth pooling, these are
 * averaged. Dropout, where asked for, follows each pooling and takes no index. Values: block1 … block4, features. */
#include "zoo/family.h"

#include <string.h>

#define WIDTH 64
enum { STAGES = 5, LEAST = 1 << STAGES };

const tc_option tc_zoo_vgg_options[] = {
    TC_ZOO_WIDTH(64, "channels of the first stage; the next have 2, 4, 8 and 8 times as many"),
    TC_ZOO_DROPOUT("rate after each pooling"),
    TC_OPTIONS_END,
};

static const int multiples[STAGES] = {1, 2, 4, 8, 8};
static const struct {
    const char *name;
    int depth[STAGES]; /* convolutions of each stage */
} variants[] = {
    {"vgg11", {1, 1, 2, 2, 2}},
    {"vgg13", {2, 2, 2, 2, 2}},
    {"vgg16", {2, 2, 3, 3, 3}},
};

static const int *depths(const char *name) {
    size_t i = 0;
    while (strcmp(variants[i].name, name) != 0) i++; /* every row of the register has its variant */
    return variants[i].depth;
}

/* `index` counts the modules of `features`. */
static tc_node stage(tc_graph *g, tc_node x, int depth, int channels, int *index) {
    for (int i = 0; i < depth; i++, *index += 3) {
        tc_zoo_text conv, norm;
        const tc_conv_options options = {.channels = channels, .kernel = 3, .padding = 1};
        x = tc_zoo_conv_norm_relu(g, x,
                                  (tc_zoo_step){tc_zoo_name(conv, "features.%d", *index),
                                                tc_zoo_name(norm, "features.%d", *index + 1), options});
    }
    ++*index;
    return tc_graph_max_pool(g, x, 2, 2, 0);
}

/* Of the positions that the last pooling left; there is one at 32 to 63 pixels, and then nothing to do. */
static tc_node average(tc_graph *g, tc_node x) {
    const tc_shape last = tc_graph_shape(g, x);
    return last.h == 1 && last.w == 1 ? x : tc_graph_global_pool(g, x);
}

tc_status tc_zoo_vgg(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                     tc_model **model, tc_error *error) {
    const tc_status status = tc_zoo_at_least(entry, input, LEAST, error);
    if (status != TC_OK) return status;
    const int width = tc_zoo_width(options, WIDTH), *depth = depths(entry->name);
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    tc_node x = tc_graph_input(g);
    for (int i = 0, index = 0; i < STAGES; i++) {
        tc_zoo_text value;
        x = stage(g, x, depth[i], multiples[i] * width, &index);
        if (i < STAGES - 1)
            x = tc_graph_name(g, x, tc_zoo_name(value, "block%d", i + 1));
        else
            x = tc_graph_name(g, average(g, x), "features");
        x = tc_zoo_dropout(g, x, options);
    }
    return tc_graph_finish(g, tc_graph_linear(g, "classifier", x, classes, true), model, error);
}
