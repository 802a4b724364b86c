/* lenet.c — LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) as it is used today: ReLU and max pooling.
 *
 *     conv 6 5×5, ReLU, max pool 2, conv 16 5×5, ReLU, max pool 2, linear 120, ReLU, linear 84, ReLU, linear
 *
 * The first convolution is padded by 2 on images below 32 pixels (28×28 → the 400 values that the paper's 32×32 inputs
 * give) and not padded from 32 on, which on CIFAR is the LeNet-like CNN of TGDA ("cnn-cifar").
 *
 * In PyTorch an nn.Sequential: convolutions 0 and 3, linear layers 7, 9 and 11. Dropout, where asked for, follows the
 * poolings and the hidden layers and takes no index. Values: block1, block2, features (the 84 units). */
#include "zoo/family.h"

#define WIDTH 6
enum { KERNEL = 5, PADDED_BELOW = 32, PADDING = 2, LEAST = 12 };

const tc_option tc_zoo_lenet_options[] = {
    TC_ZOO_WIDTH(6, "channels of the first convolution; the others keep their ratios 16/6, 120/6, 84/6"),
    TC_ZOO_DROPOUT("rate after each pooling and hidden layer"),
    TC_OPTIONS_END,
};

/* A layer of LeNet's own size `of` at the width asked for: of · width / 6, rounded to nearest. */
static int scaled(int of, int width) {
    return (of * width + WIDTH / 2) / WIDTH;
}

static tc_node stage(tc_graph *g, tc_node x, const char *module, const char *value, int channels, int padding) {
    const tc_conv_options conv = {.channels = channels, .kernel = KERNEL, .padding = padding};
    x = tc_graph_relu(g, tc_graph_conv(g, module, x, conv));
    return tc_graph_name(g, tc_graph_max_pool(g, x, 2, 2, 0), value);
}

tc_status tc_zoo_lenet(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                       tc_model **model, tc_error *error) {
    const tc_status status = tc_zoo_at_least(entry, input, LEAST, error);
    if (status != TC_OK) return status;
    const bool small = input.h < PADDED_BELOW || input.w < PADDED_BELOW;
    const int width = tc_zoo_width(options, WIDTH);
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    tc_node x = stage(g, tc_graph_input(g), "0", "block1", width, small ? PADDING : 0);
    x = stage(g, tc_zoo_dropout(g, x, options), "3", "block2", scaled(16, width), 0);
    x = tc_graph_flatten(g, tc_zoo_dropout(g, x, options));
    x = tc_graph_relu(g, tc_graph_linear(g, "7", x, scaled(120, width), true));
    x = tc_zoo_dropout(g, x, options);
    x = tc_graph_name(g, tc_graph_relu(g, tc_graph_linear(g, "9", x, scaled(84, width), true)), "features");
    x = tc_zoo_dropout(g, x, options);
    return tc_graph_finish(g, tc_graph_linear(g, "11", x, classes, true), model, error);
}
