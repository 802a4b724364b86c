#include "nn/layer.h"

#include <stdlib.h>
#include <string.h>

void tc_model_free(tc_model *model) {
    if (!model) return;
    free(model->value);
    free(model->layer);
    free(model->folded);
    free(model->tensor);
    free(model->state_tensor);
    free(model);
}

const char *tc_model_name(const tc_model *model) {
    return model->name;
}

tc_shape tc_model_input(const tc_model *model) {
    return tc_nhwc(1, model->value[0].h, model->value[0].w, model->value[0].c);
}

int tc_model_classes(const tc_model *model) {
    return model->classes;
}

size_t tc_model_parameters(const tc_model *model) {
    return model->parameters;
}

size_t tc_model_state(const tc_model *model) {
    return model->state;
}

int tc_model_tensors(const tc_model *model, const tc_tensor **tensors) {
    *tensors = model->tensor;
    return model->tensors;
}

int tc_model_state_tensors(const tc_model *model, const tc_tensor **tensors) {
    *tensors = model->state_tensor;
    return model->state_tensors;
}

static uint64_t mix(uint64_t sum, uint64_t word) {
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    return sum ^ sum >> 29;
}

static uint64_t mix_text(uint64_t sum, const char *text) {
    for (; *text; text++) sum = mix(sum, (unsigned char)*text);
    return mix(sum, 0);
}

static uint64_t mix_layer(uint64_t sum, const tc_layer *layer) {
    const tc_layer_options *o = &layer->options;
    const int words[] = {layer->inputs,   layer->output,   o->conv.channels,  o->conv.kernel,
                         o->conv.stride,  o->conv.padding, o->conv.groups,    o->conv.output_padding,
                         o->conv.no_bias, o->relu,         o->kernel,         o->stride,
                         o->padding,      o->heads,        (int)o->activation};
    const double reals[] = {o->slope, o->rate};
    sum = mix_text(sum, layer->class->name);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) sum = mix(sum, (uint64_t)words[i]);
    for (int i = 0; i < layer->inputs; i++) sum = mix(sum, (uint64_t)layer->input[i]);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        uint64_t bits;
        memcpy(&bits, &reals[i], sizeof bits);
        sum = mix(sum, bits);
    }
    return sum;
}

uint64_t tc_model_fingerprint(const tc_model *model) {
    uint64_t sum = mix_text(1, model->name);
    for (int i = 0; i < model->tensors; i++) sum = mix(mix_text(sum, model->tensor[i].name), model->tensor[i].count);
    for (int i = 0; i < model->layers; i++) sum = mix_layer(sum, &model->layer[i]);
    return sum;
}

tc_node tc_model_find(const tc_model *model, const char *name) {
    for (int i = 0; i < model->values; i++)
        if (model->value[i].name[0] && !strcmp(model->value[i].name, name)) return i;
    return -1;
}

int tc_model_names(const tc_model *model, const char **names, int room) {
    int count = 0;
    for (int i = 0; i < model->values; i++) {
        if (!model->value[i].name[0]) continue;
        if (count < room) names[count] = model->value[i].name;
        count++;
    }
    return count;
}

/* Layers whose weights meet every position. */
static bool multiplies(const tc_layer *layer) {
    static const tc_layer_class *const classes[] = {&tc_convolution_layer, &tc_transposed_layer, &tc_linear_layer};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (layer->class == classes[i]) return true;
    return false;
}

double tc_model_macs(const tc_model *model) {
    double macs = 0;
    for (int i = 0; i < model->layers; i++) {
        const tc_layer *layer = &model->layer[i];
        /* Every weight meets each position once: of the output, or of the input where the convolution is transposed. */
        const tc_value *v = &model->value[layer->class == &tc_transposed_layer ? layer->input[0] : layer->output];
        const double positions = (double)v->h * v->w;
        if (multiplies(layer)) macs += (double)model->tensor[layer->weight].count * positions;
        /* Scores and their mixing: each token meets each other one twice, in every channel. */
        if (layer->class == &tc_attention_layer) macs += 2 * positions * positions * v->c;
    }
    return macs;
}

static void init_tensor(const tc_tensor *tensor, tc_stream stream, float *vector) {
    for (size_t i = 0; i < tensor->count; i++) {
        double value = tensor->init == TC_INIT_ONE ? 1 : 0;
        if (tensor->init == TC_INIT_NORMAL) value = tc_normal_at(stream, i) * tensor->bound;
        if (tensor->init == TC_INIT_UNIFORM) value = (2 * tc_uniform_at(stream, i) - 1) * tensor->bound;
        vector[tensor->offset + i] = (float)value;
    }
}

void tc_model_init(const tc_model *model, tc_stream stream, float *theta, float *state) {
    for (int i = 0; i < model->tensors; i++)
        init_tensor(&model->tensor[i], tc_stream_child(stream, model->tensor[i].name, 0), theta);
    for (int i = 0; i < model->state_tensors; i++) init_tensor(&model->state_tensor[i], stream, state);
}
