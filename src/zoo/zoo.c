/* zoo.c — the register of networks, and how one is built from its name and "KEY=VALUE" settings.
 *
 * The rows are the zoo's whole content: a name that the field knows, where the network comes from, the family's option
 * table and its builder. */
#include "zoo/zoo.h"

#include "zoo/family.h"

#include <stdarg.h>
#include <string.h>

static const tc_zoo_entry entries[] = {
    {"logreg", "logistic regression: one linear layer on the pixels", tc_zoo_logreg_options, tc_zoo_logreg},
    {"mlp", "three linear layers, leaky ReLU 0.2 (the NN of TGDA, arXiv 2204.09092)", tc_zoo_mlp_options, tc_zoo_mlp},
    {"lenet", "LeNet-5 with ReLU and max pooling (LeCun et al. 1998)", tc_zoo_lenet_options, tc_zoo_lenet},
    {"cnn", "two 5x5 convolutions and a linear layer (the MNIST CNN of TGDA)", tc_zoo_cnn_options, tc_zoo_cnn},
    {"cnn-cifar", "the LeNet-like CIFAR-10 CNN of TGDA: lenet without padding", tc_zoo_lenet_options, tc_zoo_lenet},
    {"convnet", "eight 3x3 convolutions with batch norm (ConvNetBN of Witches' Brew, arXiv 2009.02276)",
     tc_zoo_convnet_options, tc_zoo_convnet},
    {"vgg11", "VGG-11 with batch norm, CIFAR form (Simonyan and Zisserman 2015)", tc_zoo_vgg_options, tc_zoo_vgg},
    {"vgg13", "VGG-13 with batch norm, CIFAR form", tc_zoo_vgg_options, tc_zoo_vgg},
    {"vgg16", "VGG-16 with batch norm, CIFAR form", tc_zoo_vgg_options, tc_zoo_vgg},
    {"resnet18", "ResNet-18, CIFAR form: 3x3 stem, no max pool (He et al. 2016)", tc_zoo_resnet_options, tc_zoo_resnet},
    {"resnet34", "ResNet-34, CIFAR form", tc_zoo_resnet_options, tc_zoo_resnet},
    {"resnet50", "ResNet-50, bottleneck blocks, CIFAR form", tc_zoo_resnet_options, tc_zoo_resnet},
    {"mobilenetv2", "MobileNetV2, CIFAR form: inverted residuals with depthwise convolutions (Sandler et al. 2018)",
     tc_zoo_mobilenet_options, tc_zoo_mobilenet},
    {"vit", "Vision Transformer for 32x32 images, in the sizes of ViT-CIFAR (arXiv 2010.11929)", tc_zoo_vit_options,
     tc_zoo_vit},
    {"sequential", "a network of one's own: a list of layers, blocks and branches; `tocsin list layers` has them",
     tc_zoo_sequential_options, tc_zoo_sequential},
    {.name = NULL},
};
enum { ENTRIES = sizeof entries / sizeof *entries - 1, MAX_SIDE = 4096, MAX_CHANNELS = 1024, MAX_CLASSES = 100000 };

const tc_zoo_entry *tc_zoo_entries(void) {
    return entries;
}

const tc_zoo_entry *tc_zoo_find(const char *name) {
    for (const tc_zoo_entry *entry = entries; entry->name; entry++)
        if (!strcmp(entry->name, name)) return entry;
    return NULL;
}

static tc_status refuse_name(const char *name, tc_error *error) {
    const char *known[ENTRIES + 1] = {NULL};
    for (int i = 0; i < ENTRIES; i++) known[i] = entries[i].name;
    const char *nearest = tc_nearest(name, known);
    if (nearest) return tc_raise(error, TC_INVALID, "model: '%s' is not known; did you mean %s?", name, nearest);
    return tc_raise(error, TC_INVALID, "model: '%s' is not known; `tocsin list models` names them all", name);
}

/* What no network of the zoo can take, and what would overflow the sizes that the builders compute. */
static tc_status check_task(const char *name, tc_shape input, int classes, tc_error *error) {
    if (input.h < 1 || input.w < 1 || input.h > MAX_SIDE || input.w > MAX_SIDE)
        return tc_raise(error, TC_INVALID, "%s: images of %d x %d pixels; give 1 to %d a side", name, input.h, input.w,
                        MAX_SIDE);
    if (input.c < 1 || input.c > MAX_CHANNELS)
        return tc_raise(error, TC_INVALID, "%s: images of %d channels; give 1 (grey) or 3 (colour)", name, input.c);
    if (classes < 2 || classes > MAX_CLASSES)
        return tc_raise(error, TC_INVALID, "%s: %d classes; give at least 2", name, classes);
    return TC_OK;
}

tc_status tc_zoo_build(const char *name, tc_shape input, int classes, const char *const *settings, int count,
                       tc_model **model, tc_error *error) {
    *model = NULL;
    const tc_zoo_entry *entry = tc_zoo_find(name);
    if (!entry) return refuse_name(name, error);
    tc_status status = TC_OK;
    tc_zoo_options options = {0};
    tc_options_default(entry->options, &options);
    for (int i = 0; status == TC_OK && i < count; i++) {
        status = tc_options_assign(entry->options, &options, settings[i], error);
        if (status != TC_OK) tc_error_at(error, name);
    }
    if (status != TC_OK) return status;
    return tc_zoo_build_entry(entry, input, classes, &options, model, error);
}

tc_status tc_zoo_build_entry(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                             tc_model **model, tc_error *error) {
    *model = NULL;
    const tc_status status = check_task(entry->name, input, classes, error);
    return status == TC_OK ? entry->build(entry, input, classes, options, model, error) : status;
}

int tc_zoo_width(const tc_zoo_options *options, int fallback) {
    return options->width > 0 ? (int)options->width : fallback;
}

tc_status tc_zoo_at_least(const tc_zoo_entry *entry, tc_shape input, int least, tc_error *error) {
    if (input.h >= least && input.w >= least) return TC_OK;
    return tc_raise(
        error, TC_INVALID,
        "%s: images of %d x %d pixels are too small: it needs %d a side; enlarge them or use resnet18 or mlp",
        entry->name, input.h, input.w, least);
}

const char *tc_zoo_name(tc_zoo_text name, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(name, TC_NAME_SIZE, format, list);
    va_end(list);
    return name;
}

tc_node tc_zoo_dropout(tc_graph *graph, tc_node x, const tc_zoo_options *options) {
    return options->dropout > 0 ? tc_graph_dropout(graph, x, options->dropout) : x;
}

tc_node tc_zoo_conv_norm(tc_graph *graph, tc_node x, tc_zoo_step step) {
    return tc_graph_batch_norm(graph, step.norm, tc_graph_conv(graph, step.conv, x, step.options));
}

tc_node tc_zoo_conv_norm_relu(tc_graph *graph, tc_node x, tc_zoo_step step) {
    return tc_graph_relu(graph, tc_zoo_conv_norm(graph, x, step));
}
