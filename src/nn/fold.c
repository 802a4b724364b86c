/* fold.c — the layers of a model as evaluation mode runs them.
 *
 * There, batch norm is an affine map per channel with constant statistics, and the convolution before it can do its
 * work: (W ∗ a) scaled and shifted is (sW) ∗ a + shift. A convolution whose value only a batch norm reads therefore
 * becomes one layer with it, of class "folded convolution". Parameters, names and every other value stay as they are;
 * training mode runs the layers that the graph was built of. */
#include "nn/layer.h"

/* The convolution that may take over `norm`'s work; NULL: none. */
static const tc_layer *convolution_before(const tc_model *m, const tc_layer *norm) {
    if (norm->class != &tc_batch_norm_layer || m->value[norm->input[0]].layer < 0) return NULL;
    const tc_layer *before = &m->layer[m->value[norm->input[0]].layer];
    const bool alone = before->class == &tc_convolution_layer && !before->options.relu;
    return alone && tc_value_private(m, before->output) ? before : NULL;
}

static tc_layer folded(const tc_layer *convolution, const tc_layer *norm) {
    tc_layer layer = *norm;
    layer.class = &tc_folded_layer;
    layer.input[0] = convolution->input[0];
    layer.options.conv = convolution->options.conv;
    layer.weight = convolution->weight;
    layer.bias = convolution->bias;
    layer.gamma = norm->weight;
    layer.beta = norm->bias;
    return layer;
}

/* layer i's value is taken over by a batch norm. */
static bool is_absorbed(const tc_model *m, int i) {
    for (int j = i + 1; j < m->layers; j++)
        if (m->layer[j].input[0] == m->layer[i].output && convolution_before(m, &m->layer[j])) return true;
    return false;
}

tc_status tc_model_fold(tc_model *m, tc_error *error) {
    const tc_status status = tc_new(&m->folded, (size_t)m->layers, sizeof *m->folded, error);
    if (status != TC_OK) return status;
    for (int i = 0; i < m->layers; i++) {
        if (is_absorbed(m, i)) continue;
        const tc_layer *convolution = convolution_before(m, &m->layer[i]);
        m->folded[m->folded_layers++] = convolution ? folded(convolution, &m->layer[i]) : m->layer[i];
    }
    return TC_OK;
}
