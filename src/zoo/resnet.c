/* resnet.c — ResNet-18 and -34 (He, Zhang, Ren and Sun 2016) in the CIFAR form that the papers and pytorch-cifar use:
 * a 3×3 stem of stride 1 without max pooling, four stages of basic blocks, global average, one linear layer.
 *
 *     block(x) = ReLU(bn2(conv2(ReLU(bn1(conv1(x))))) + shortcut(x))
 *
 * where the shortcut is the identity, or a 1×1 convolution with batch norm when the block changes shape. Names are that
 * network's: conv1, bn1, layerS.B.conv1, layerS.B.bn1, …, layerS.B.shortcut.0, .1, linear; parameters lie in θ in
 * PyTorch's order. Dropout, where asked for, stands in the middle of each block, as in "Transferable clean-label
 * poisoning" (arXiv 1905.05897). Values: layer1 … layer4, features. */
#include "zoo/family.h"

#include <string.h>

#define WIDTH 64
enum { STAGES = 4, LEAST = 8 };

const tc_option tc_zoo_resnet_options[] = {
    TC_ZOO_WIDTH(64, "channels of the first stage; the next have 2, 4 and 8 times as many"),
    TC_ZOO_DROPOUT("rate in the middle of each block (Zhu et al. 2019: 0.2, 0.25, 0.3)"),
    TC_OPTIONS_END,
};

static const struct {
    const char *name;
    int depth[STAGES]; /* blocks of each stage */
} variants[] = {
    {"resnet18", {2, 2, 2, 2}},
    {"resnet34", {3, 4, 6, 3}},
};

static const int *depths(const char *name) {
    size_t i = 0;
    while (strcmp(variants[i].name, name) != 0) i++; /* every row of the register has its variant */
    return variants[i].depth;
}

typedef struct block {
    const char *prefix; /* "layer1.0." */
    int channels, stride;
} block;

static tc_conv_options conv(int channels, int kernel, int stride) {
    return (tc_conv_options){
        .channels = channels, .kernel = kernel, .stride = stride, .padding = kernel / 2, .no_bias = true};
}

/* A convolution with batch norm of a block: modules PREFIXconvA and PREFIXnormB. */
static tc_node conv_norm(tc_graph *g, tc_node x, const char *prefix, const char *conv_name, const char *norm_name,
                         tc_conv_options options) {
    tc_zoo_text conv_module, norm_module;
    return tc_zoo_conv_norm(g, x,
                            (tc_zoo_step){tc_zoo_name(conv_module, "%s%s", prefix, conv_name),
                                          tc_zoo_name(norm_module, "%s%s", prefix, norm_name), options});
}

static tc_node basic_block(tc_graph *g, tc_node x, block b, const tc_zoo_options *options) {
    const bool reshapes = b.stride != 1 || tc_graph_shape(g, x).c != b.channels;
    tc_node y = tc_graph_relu(g, conv_norm(g, x, b.prefix, "conv1", "bn1", conv(b.channels, 3, b.stride)));
    y = tc_zoo_dropout(g, y, options);
    y = conv_norm(g, y, b.prefix, "conv2", "bn2", conv(b.channels, 3, 1));
    if (reshapes) x = conv_norm(g, x, b.prefix, "shortcut.0", "shortcut.1", conv(b.channels, 1, b.stride));
    return tc_graph_relu(g, tc_graph_add(g, y, x));
}

tc_status tc_zoo_resnet(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                        tc_model **model, tc_error *error) {
    const tc_status status = tc_zoo_at_least(entry, input, LEAST, error);
    if (status != TC_OK) return status;
    const int width = tc_zoo_width(options, WIDTH), *depth = depths(entry->name);
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    tc_node x = tc_graph_relu(g, conv_norm(g, tc_graph_input(g), "", "conv1", "bn1", conv(width, 3, 1)));
    for (int stage = 0; stage < STAGES; stage++) {
        tc_zoo_text text;
        for (int i = 0; i < depth[stage]; i++) {
            const int stride = stage > 0 && i == 0 ? 2 : 1;
            const char *prefix = tc_zoo_name(text, "layer%d.%d.", stage + 1, i);
            x = basic_block(g, x, (block){prefix, width << stage, stride}, options);
        }
        x = tc_graph_name(g, x, tc_zoo_name(text, "layer%d", stage + 1));
    }
    x = tc_graph_name(g, tc_graph_global_pool(g, x), "features");
    return tc_graph_finish(g, tc_graph_linear(g, "linear", x, classes, true), model, error);
}
