/* logreg.c — multinomial logistic regression: logits = W x + b on the pixels.
 *
 * In PyTorch: nn.Sequential(nn.Flatten(), nn.Linear(c·h·w, classes)); parameters 1.weight, 1.bias. Its "features" are
 * the pixels themselves. */
#include "zoo/family.h"

const tc_option tc_zoo_logreg_options[] = {TC_OPTIONS_END};

tc_status tc_zoo_logreg(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                        tc_model **model, tc_error *error) {
    (void)options;
    tc_graph *g = tc_graph_begin(entry->name, input.h, input.w, input.c, classes);
    const tc_node x = tc_graph_name(g, tc_graph_flatten(g, tc_graph_input(g)), "features");
    return tc_graph_finish(g, tc_graph_linear(g, "1", x, classes, true), model, error);
}
