/* cnn.c — the MNIST CNN of TGDA (Lu, Kamath and Yu, arXiv 2204.09092): two 5×5 convolutions of 16 and 32 channels,
 * padding 2, each with ReLU and max pool 2, then one linear layer.
 *
 * In PyTorch an nn.Sequential: convolutions 0 and 3, linear layer 7. Dropout, where asked for, follows each pooling and
 * takes no index. Values: block1, features (after the second pooling, as one row). */
#include "zoo/family.h"

#define WIDTH 16
enum { LEAST = 4 };

const tc_option tc_zoo_cnn_options[] = {
    TC_ZOO_WIDTH(16, "channels of the first convolution; the second has twice as many (TGDA: 16)"),
    TC_ZOO_DROPOUT("rate after each pooling"),
    TC_OPTIONS_END,
};

static tc_node stage(tc_graph *g, tc_node x, const char *module, int channels) {
    const tc_conv_options conv = {.channels = channels, .kernel = 5, .padding = 2};
    x = tc_graph_relu(g, tc_graph_conv(g, module, x, conv));
    return tc_graph_max_pool(g, x, 2, 2, 0);
}

tc_status tc_zoo_cnn(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                     tc_model **model, tc_error *error) {
    const tc_status status = tc_zoo_at_least(entry, input, LEAST, error);
    if (status != TC_OK) return status;
    const int width = tc_zoo_width(options, WIDTH);
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    tc_node x = tc_graph_name(g, stage(g, tc_graph_input(g), "0", width), "block1");
    x = stage(g, tc_zoo_dropout(g, x, options), "3", 2 * width);
    x = tc_graph_name(g, tc_graph_flatten(g, x), "features");
    x = tc_zoo_dropout(g, x, options);
    return tc_graph_finish(g, tc_graph_linear(g, "7", x, classes, true), model, error);
}
