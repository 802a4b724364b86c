/* convnet.c — "ConvNet": the plain convolutional network of the poisoning and gradient-inversion literature, in the
 * form ConvNetBN, width 64, that Geiping et al. use (Witches' Brew, arXiv 2009.02276; Inverting Gradients,
 * arXiv 2003.14053).
 *
 * Eight 3×3 convolutions with bias, each followed by batch norm and ReLU, of w, 2w, 2w, 4w, 4w, 4w, 4w, 4w channels;
 * max pool 3 after the sixth and the eighth; one linear layer. Parameter names are that network's: model.convI,
 * model.bnI, model.linear. Dropout, where asked for, follows the poolings. Values: block1 (after the
 * first), features (after the second, as one row). */
#include "zoo/family.h"

#define WIDTH 64
enum { POOL = 3, LEAST = POOL * POOL };

const tc_option tc_zoo_convnet_options[] = {
    TC_ZOO_WIDTH(64, "channels of the first convolution (Witches' Brew: 64)"),
    TC_ZOO_DROPOUT("rate after each pooling"),
    TC_OPTIONS_END,
};

static const struct {
    int multiple; /* of the width: the convolution's channels */
    bool pool;    /* a pooling follows */
} steps[] = {{1, false}, {2, false}, {2, false}, {4, false}, {4, false}, {4, true}, {4, false}, {4, true}};
enum { STEPS = sizeof steps / sizeof *steps };

tc_status tc_zoo_convnet(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                         tc_model **model, tc_error *error) {
    const tc_status status = tc_zoo_at_least(entry, input, LEAST, error);
    if (status != TC_OK) return status;
    const int width = tc_zoo_width(options, WIDTH);
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    tc_node x = tc_graph_input(g);
    for (int i = 0; i < STEPS; i++) {
        tc_zoo_text conv, norm;
        const tc_conv_options options3x3 = {.channels = steps[i].multiple * width, .kernel = 3, .padding = 1};
        x = tc_zoo_conv_norm_relu(
            g, x, (tc_zoo_step){tc_zoo_name(conv, "model.conv%d", i), tc_zoo_name(norm, "model.bn%d", i), options3x3});
        if (!steps[i].pool) continue;
        x = tc_graph_max_pool(g, x, POOL, POOL, 0);
        x = i < STEPS - 1 ? tc_graph_name(g, x, "block1") : tc_graph_name(g, tc_graph_flatten(g, x), "features");
        x = tc_zoo_dropout(g, x, options);
    }
    return tc_graph_finish(g, tc_graph_linear(g, "model.linear", x, classes, true), model, error);
}
