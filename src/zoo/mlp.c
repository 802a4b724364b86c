/* mlp.c — the fully connected network of Lu, Kamath and Yu, "Indiscriminate data poisoning attacks on neural networks"
 * (arXiv 2204.09092): 784-784-784-10 with leaky ReLU 0.2, here for any input size and hidden width.
 *
 * In PyTorch: nn.Sequential(Flatten, Linear, LeakyReLU(0.2), Linear, LeakyReLU(0.2), Linear); parameters 1, 3 and 5.
 * Dropout, where asked for, follows each hidden layer and takes no index. Values: block1, features (the second hidden
 * layer). */
#include "zoo/family.h"

#define WIDTH 784
static const double slope = 0.2;

const tc_option tc_zoo_mlp_options[] = {
    TC_ZOO_WIDTH(784, "hidden units of each of the two layers (TGDA: 784)"),
    TC_ZOO_DROPOUT("rate after each hidden layer"),
    TC_OPTIONS_END,
};

tc_status tc_zoo_mlp(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                     tc_model **model, tc_error *error) {
    static const struct { const char *module, *value; } hidden[] = {{"1", "block1"}, {"3", "features"}};
    const int width = tc_zoo_width(options, WIDTH);
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    tc_node x = tc_graph_flatten(g, tc_graph_input(g));
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        x = tc_graph_linear(g, hidden[i].module, x, width, true);
        x = tc_graph_name(g, tc_graph_activation(g, x, TC_LEAKY_RELU, slope), hidden[i].value);
        x = tc_zoo_dropout(g, x, options);
    }
    return tc_graph_finish(g, tc_graph_linear(g, "5", x, classes, true), model, error);
}
