/* layout.c — how the activations of a pass are laid out (compute/shape.h): NHWC, panels of channels, or images abreast;
 * reals, or halves of them. One choice for the whole network, from its geometry and what the device likes alone, never
 * from a measurement, so that results do not change from run to run. */
#include "nn/plan.h"

/* The part of a network's activations that need not fill panels of channels. */
static const double most_plain = 0.25;

/* Whether a value lies in panels where the network does. */
static bool fills_panels(const tc_value *value, int block) {
    return value->h * value->w > 1 && value->c % block == 0;
}

/* Tokens are the rows of matrix products, which panels would cut. */
static bool wants_rows(const tc_model *m) {
    for (int i = 0; i < m->layers; i++) {
        const tc_layer *layer = &m->layer[i];
        const tc_value *in = &m->value[layer->input[0]], *out = &m->value[layer->output];
        if ((layer->class->traits & TC_WHOLE_ROWS) && (in->h * in->w > 1 || out->h * out->w > 1)) return true;
    }
    return false;
}

/* Panels pay where the convolutions take them: if (nearly) all of the network's activations fill them. The others, as
 * the narrow ends of MobileNetV2's blocks, then stay plain, and convolutions reorder them; but all that is
 * concatenated has to be laid out alike. */
static bool panels_fit(const tc_pass *pass, int block, bool *all) {
    const tc_model *m = pass->model;
    double filled = 0, plain = 0;
    bool joins = false;
    for (int v = 1; block && v < m->values; v++) {
        const tc_value *value = &m->value[v];
        if (value->layer < 0 || value->h * value->w == 1) continue;
        joins |= m->layer[value->layer].class == &tc_concat_layer;
        *(fills_panels(value, block) ? &filled : &plain) += (double)value->h * value->w * value->c;
    }
    *all = plain == 0;
    return block && !wants_rows(m) && (*all || (!joins && plain <= most_plain * (filled + plain)));
}

/* Layers that images side by side may go through. */
static bool goes_abreast(const tc_layer *layer) {
    static const tc_layer_class *const classes[] = {&tc_convolution_layer,  &tc_activation_layer, &tc_max_pool_layer,
                                                    &tc_average_pool_layer, &tc_dropout_layer,    &tc_flatten_layer};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (layer->class == classes[i]) return true;
    return false;
}

/* Few channels and nothing but small stride-1 convolutions, poolings and element-wise maps up to a flatten: LeNet and
 * its kin. */
static bool abreast_fits(const tc_pass *pass) {
    const tc_device *device = pass->device;
    bool any = false;
    for (int i = 0; device->abreast && i < pass->model->layers; i++) {
        const tc_layer *layer = &pass->model->layer[i];
        const tc_value *in = &pass->model->value[layer->input[0]], *out = &pass->model->value[layer->output];
        const tc_conv_options *conv = &layer->options.conv;
        if (in->h * in->w == 1) continue;
        if (!goes_abreast(layer)) return false;
        if (layer->class == &tc_flatten_layer) continue;
        if (out->h * out->w == 1 || out->c > device->abreast_channels) return false;
        if (layer->class != &tc_convolution_layer) continue;
        if (conv->stride != 1 || conv->groups != 1 || conv->kernel > device->abreast_kernel ||
            conv->padding >= conv->kernel)
            return false;
        any = true;
    }
    return any;
}

static bool has_positions(const tc_model *m, tc_node x) {
    return m->value[x].h * m->value[x].w > 1;
}

/* Images are reals: convolutions read them, and layers that leave no positions. */
static bool takes_halves(const tc_model *m, const tc_layer *layer) {
    bool images = false, positions = has_positions(m, layer->output);
    for (int j = 0; j < layer->inputs; j++) images |= layer->input[j] == 0;
    if (images) return layer->class == &tc_convolution_layer || !positions;
    for (int j = 0; j < layer->inputs; j++) positions |= has_positions(m, layer->input[j]);
    return !positions || (layer->class->traits & TC_HALVES);
}

/* Passes that only train keep activations as halves where the device can. Its convolutions round them to that anyway,
 * and all that lies between them is bound by memory. What looks closer (tangents, gradients of images, features,
 * evaluation) stays with reals; so do images and values without positions, with which every network begins and ends:
 * they are small. */
static bool halves_fit(const tc_pass *pass) {
    const tc_model *m = pass->model;
    bool fit = pass->device->halves && pass->options.mode == TC_TRAIN && pass->options.want == TC_WANT_GRAD_THETA;
    for (int i = 0; fit && i < m->layers; i++) fit = takes_halves(m, &m->layer[i]);
    return fit;
}

void tc_pass_choose_shapes(tc_pass *pass) {
    bool all;
    const bool panels = panels_fit(pass, pass->device->channel_block, &all);
    const bool abreast = !(panels && all) && abreast_fits(pass);
    const bool half = halves_fit(pass);
    const int block = panels && !abreast ? pass->device->channel_block : 0;
    for (int v = 0; v < pass->model->values; v++) {
        const tc_value *value = &pass->model->value[v];
        pass->shape[v] = tc_nhwc(pass->options.batch, value->h, value->w, value->c);
        if (v == 0 || value->h * value->w == 1) continue;
        pass->shape[v].half = half;
        if (block && fills_panels(value, block)) pass->shape[v].block = block;
        if (abreast) pass->shape[v].block = 1, pass->shape[v].abreast = pass->device->abreast;
    }
}
