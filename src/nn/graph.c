/* graph.c — building a model: nodes in the order of evaluation, parameters at consecutive places, then fusion. */
#include "nn/layer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARAMETERS ((size_t)1 << 31)
enum { FUSED_AWAY = -2, THE_INPUT = -1, MAX_SIDE = 1 << 14, MAX_FEATURES = 1 << 26, FIRST_ROOM = 32 };

struct tc_graph {
    tc_model *model;
    int value_room, layer_room, tensor_room, state_room;
    tc_error error; /* the first mistake; everything after it is ignored */
};

/* ---- the sticky error ---- */

tc_node tc_graph_mistake(tc_graph *graph, const char *format, ...) {
    if (graph->error.status != TC_OK) return 0;
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    tc_raise(&graph->error, TC_INVALID, "model %s: %s", graph->model->name, text);
    return 0;
}

bool tc_graph_failed(const tc_graph *graph) {
    return graph->error.status != TC_OK;
}

/* Makes room for one more element of a growing array. */
static bool grow(tc_graph *graph, void *array, int count, int *room, size_t size) {
    if (graph->error.status != TC_OK) return false;
    if (count < *room) return true;
    void *old, *larger;
    memcpy(&old, array, sizeof old);
    *room = *room ? 2 * *room : FIRST_ROOM;
    larger = realloc(old, (size_t)*room * size);
    if (!larger) {
        tc_raise(&graph->error, TC_FAILED, "model %s: no memory for its layers; free some", graph->model->name);
        return false;
    }
    memset((char *)larger + (size_t)count * size, 0, (size_t)(*room - count) * size);
    memcpy(array, &larger, sizeof larger);
    return true;
}

static const tc_value *value_at(const tc_graph *graph, tc_node x) {
    return &graph->model->value[x >= 0 && x < graph->model->values ? x : 0];
}

/* ---- nodes and tensors ---- */

static tc_node append(tc_graph *graph, tc_layer layer, int h, int w, int c) {
    tc_model *m = graph->model;
    if (graph->error.status != TC_OK) return 0;
    if (h < 1 || w < 1 || c < 1)
        return tc_graph_mistake(graph, "a %s would be %d×%d×%d; the input is too small for this network",
                                layer.class->name, h, w, c);
    if (h > MAX_SIDE || w > MAX_SIDE || (double)h * w * c > MAX_FEATURES)
        return tc_graph_mistake(graph, "a %s would be %d×%d×%d; use a smaller input or width", layer.class->name, h, w,
                                c);
    if (!grow(graph, &m->value, m->values, &graph->value_room, sizeof *m->value)) return 0;
    if (!grow(graph, &m->layer, m->layers, &graph->layer_room, sizeof *m->layer)) return 0;
    layer.output = m->values;
    for (int i = 0; i < layer.inputs; i++) m->value[layer.input[i]].users++;
    m->value[m->values] = (tc_value){.h = h, .w = w, .c = c, .layer = m->layers};
    m->layer[m->layers++] = layer;
    return m->values++;
}

static tc_layer layer_on(const tc_layer_class *class, tc_node x) {
    return (tc_layer){.class = class,
                      .inputs = 1,
                      .input = {x},
                      .weight = -1,
                      .bias = -1,
                      .gamma = -1,
                      .beta = -1,
                      .mean = -1,
                      .variance = -1};
}

/* Without a leaf the tensor has its name already. */
static int add_tensor(tc_graph *graph, bool of_state, const char *module, const char *leaf, tc_tensor tensor) {
    tc_model *m = graph->model;
    tc_tensor **list = of_state ? &m->state_tensor : &m->tensor;
    int *count = of_state ? &m->state_tensors : &m->tensors;
    size_t *length = of_state ? &m->state : &m->parameters;
    if (!grow(graph, list, *count, of_state ? &graph->state_room : &graph->tensor_room, sizeof **list)) return -1;
    if (leaf && snprintf(tensor.name, sizeof tensor.name, "%s.%s", module, leaf) >= (int)sizeof tensor.name) {
        tc_graph_mistake(graph, "the name '%s' is too long", module);
        return -1;
    }
    tensor.count = 1;
    for (int i = 0; i < tensor.rank; i++) tensor.count *= (size_t)tensor.size[i];
    if (*length + tensor.count > MAX_PARAMETERS) {
        tc_graph_mistake(graph, "%s: makes it %.3g parameters; take at most %.3g", tensor.name,
                         (double)(*length + tensor.count), (double)MAX_PARAMETERS);
        return -1;
    }
    tensor.offset = *length;
    *length += tensor.count;
    (*list)[*count] = tensor;
    return (*count)++;
}

/* PyTorch's default for convolutions and linear layers: U(±1/√fan_in) for weight and bias alike. */
static int add_weight(tc_graph *graph, const char *module, const char *leaf, tc_tensor tensor, double fan_in) {
    tensor.init = TC_INIT_UNIFORM;
    tensor.bound = 1 / sqrt(fan_in);
    return add_tensor(graph, false, module, leaf, tensor);
}

/* ---- builders ---- */

/* What the builders get, and leave as it is, where there is no memory for a graph, so that they need not ask. */
static const tc_value no_value;
static const tc_model no_model = {.value = (tc_value *)&no_value, .values = 1};
static const tc_graph no_graph = {.model = (tc_model *)&no_model,
                                  .error = {TC_FAILED, "model: no memory for its layers; free some"}};

tc_graph *tc_graph_begin(const char *name, int height, int width, int channels, int classes) {
    tc_graph *graph = calloc(1, sizeof *graph);
    tc_model *model = calloc(1, sizeof *model);
    tc_value *value = calloc(FIRST_ROOM, sizeof *value);
    if (!graph || !model || !value) {
        free(graph);
        free(model);
        free(value);
        return (tc_graph *)&no_graph;
    }
    graph->model = model;
    graph->value_room = FIRST_ROOM;
    model->value = value;
    snprintf(model->name, sizeof model->name, "%s", name);
    model->classes = classes;
    model->value[model->values++] = (tc_value){.h = height, .w = width, .c = channels, .layer = THE_INPUT};
    if (height < 1 || width < 1 || channels < 1 || height > MAX_SIDE || width > MAX_SIDE || channels > MAX_SIDE)
        tc_graph_mistake(graph, "an input of %d×%d×%d is not an image", height, width, channels);
    if (classes < 1) tc_graph_mistake(graph, "%d classes; at least one is needed", classes);
    return graph;
}

tc_node tc_graph_input(tc_graph *graph) {
    (void)graph;
    return 0;
}

static bool conv_options_ok(tc_graph *graph, const char *name, tc_conv_options *o, int in) {
    if (!o->stride) o->stride = 1;
    if (!o->groups) o->groups = 1;
    if (o->channels < 1 || o->kernel < 1 || o->stride < 1 || o->padding < 0 || o->groups < 1)
        return tc_graph_mistake(graph, "%s: channels, kernel, stride and groups must be at least 1", name), false;
    if (in % o->groups || o->channels % o->groups)
        return tc_graph_mistake(graph, "%s: %d groups do not divide %d and %d channels", name, o->groups, in,
                                o->channels),
               false;
    return true;
}

tc_node tc_graph_conv(tc_graph *graph, const char *name, tc_node x, tc_conv_options o) {
    const tc_value in = *value_at(graph, x);
    if (!conv_options_ok(graph, name, &o, in.c)) return 0;
    tc_layer layer = layer_on(&tc_convolution_layer, x);
    layer.options.conv = o;
    const int per_group = in.c / o.groups;
    const double fan_in = (double)per_group * o.kernel * o.kernel;
    layer.weight = add_weight(graph, name, "weight",
                              (tc_tensor){.rank = 4, .size = {o.channels, per_group, o.kernel, o.kernel}}, fan_in);
    if (!o.no_bias) layer.bias = add_weight(graph, name, "bias", (tc_tensor){.rank = 1, .size = {o.channels}}, fan_in);
    return append(graph, layer, (in.h + 2 * o.padding - o.kernel) / o.stride + 1,
                  (in.w + 2 * o.padding - o.kernel) / o.stride + 1, in.h + 2 * o.padding < o.kernel ? 0 : o.channels);
}

tc_node tc_graph_conv_transposed(tc_graph *graph, const char *name, tc_node x, tc_conv_options o) {
    const tc_value in = *value_at(graph, x);
    if (!conv_options_ok(graph, name, &o, in.c)) return 0;
    if (o.output_padding < 0 || o.output_padding >= o.stride)
        return tc_graph_mistake(graph, "%s: output padding %d must be below the stride", name, o.output_padding);
    tc_layer layer = layer_on(&tc_transposed_layer, x);
    layer.options.conv = o;
    const int per_group = o.channels / o.groups;
    const double fan_in = (double)per_group * o.kernel * o.kernel; /* as PyTorch counts it for this shape */
    layer.weight = add_weight(graph, name, "weight",
                              (tc_tensor){.rank = 4, .size = {in.c, per_group, o.kernel, o.kernel}}, fan_in);
    if (!o.no_bias) layer.bias = add_weight(graph, name, "bias", (tc_tensor){.rank = 1, .size = {o.channels}}, fan_in);
    const int more = o.kernel - 2 * o.padding + o.output_padding;
    return append(graph, layer, (in.h - 1) * o.stride + more, (in.w - 1) * o.stride + more, o.channels);
}

static tc_node linear(tc_graph *graph, const char *name, tc_node x, int features, bool bias) {
    const tc_value in = *value_at(graph, x);
    if (features < 1) return tc_graph_mistake(graph, "%s: %d features; at least one is needed", name, features);
    tc_layer layer = layer_on(&tc_linear_layer, x);
    layer.weight = add_weight(graph, name, "weight", (tc_tensor){.rank = 2, .size = {features, in.c}}, in.c);
    if (bias) layer.bias = add_weight(graph, name, "bias", (tc_tensor){.rank = 1, .size = {features}}, in.c);
    return append(graph, layer, in.h, in.w, features);
}

tc_node tc_graph_linear(tc_graph *graph, const char *name, tc_node x, int features, bool bias) {
    const tc_value in = *value_at(graph, x);
    if (in.h != 1 || in.w != 1) return tc_graph_mistake(graph, "%s: a linear layer needs flattened features", name);
    return linear(graph, name, x, features, bias);
}

tc_node tc_graph_batch_norm(tc_graph *graph, const char *name, tc_node x) {
    const tc_value in = *value_at(graph, x);
    tc_layer layer = layer_on(&tc_batch_norm_layer, x);
    const tc_tensor zero = {.rank = 1, .size = {in.c}, .init = TC_INIT_ZERO},
                    one = {.rank = 1, .size = {in.c}, .init = TC_INIT_ONE};
    layer.weight = add_tensor(graph, false, name, "weight", one);
    layer.bias = add_tensor(graph, false, name, "bias", zero);
    layer.mean = add_tensor(graph, true, name, "running_mean", zero);
    layer.variance = add_tensor(graph, true, name, "running_var", one);
    return append(graph, layer, in.h, in.w, in.c);
}

tc_node tc_graph_activation(tc_graph *graph, tc_node x, tc_activation_kind kind, double slope) {
    const tc_value in = *value_at(graph, x);
    tc_layer layer = layer_on(&tc_activation_layer, x);
    layer.options.activation = kind;
    layer.options.slope = slope;
    return append(graph, layer, in.h, in.w, in.c);
}

tc_node tc_graph_relu(tc_graph *graph, tc_node x) {
    return tc_graph_activation(graph, x, TC_RELU, 0);
}

static tc_node pool(tc_graph *graph, const tc_layer_class *class, tc_node x, int kernel, int stride, int padding) {
    const tc_value in = *value_at(graph, x);
    if (kernel < 1 || stride < 1 || padding < 0 || 2 * padding > kernel)
        return tc_graph_mistake(graph, "a %s of window %d, stride %d, padding %d does not exist", class->name, kernel,
                                stride, padding);
    if (in.h + 2 * padding < kernel || in.w + 2 * padding < kernel)
        return tc_graph_mistake(graph, "a %s of window %d does not fit %d×%d; the input is too small for this network",
                                class->name, kernel, in.h, in.w);
    tc_layer layer = layer_on(class, x);
    layer.options.kernel = kernel;
    layer.options.stride = stride;
    layer.options.padding = padding;
    return append(graph, layer, (in.h + 2 * padding - kernel) / stride + 1, (in.w + 2 * padding - kernel) / stride + 1,
                  in.c);
}

tc_node tc_graph_max_pool(tc_graph *graph, tc_node x, int kernel, int stride, int padding) {
    return pool(graph, &tc_max_pool_layer, x, kernel, stride, padding);
}

tc_node tc_graph_average_pool(tc_graph *graph, tc_node x, int kernel, int stride, int padding) {
    return pool(graph, &tc_average_pool_layer, x, kernel, stride, padding);
}

tc_node tc_graph_global_pool(tc_graph *graph, tc_node x) {
    const tc_value in = *value_at(graph, x);
    if (in.h != in.w)
        return tc_graph_mistake(graph, "global pooling of %d×%d; only square activations are pooled", in.h, in.w);
    return pool(graph, &tc_average_pool_layer, x, in.h, in.h, 0);
}

tc_node tc_graph_add(tc_graph *graph, tc_node a, tc_node b) {
    const tc_value va = *value_at(graph, a), vb = *value_at(graph, b);
    if (va.h != vb.h || va.w != vb.w || va.c != vb.c)
        return tc_graph_mistake(graph, "a sum of %d×%d×%d and %d×%d×%d", va.h, va.w, va.c, vb.h, vb.w, vb.c);
    tc_layer layer = layer_on(&tc_add_layer, a);
    layer.input[layer.inputs++] = b;
    return append(graph, layer, va.h, va.w, va.c);
}

tc_node tc_graph_concat(tc_graph *graph, const tc_node *parts, int count) {
    if (count < 1 || count > TC_MAX_INPUTS) return tc_graph_mistake(graph, "a concatenation of %d parts", count);
    const tc_value first = *value_at(graph, parts[0]);
    tc_layer layer = layer_on(&tc_concat_layer, parts[0]);
    int channels = first.c;
    for (int i = 1; i < count; i++) {
        const tc_value part = *value_at(graph, parts[i]);
        if (part.h != first.h || part.w != first.w)
            return tc_graph_mistake(graph, "a concatenation of %d×%d and %d×%d", first.h, first.w, part.h, part.w);
        layer.input[layer.inputs++] = parts[i];
        channels += part.c;
    }
    return append(graph, layer, first.h, first.w, channels);
}

tc_node tc_graph_scale(tc_graph *graph, tc_node x, tc_node s) {
    const tc_value vx = *value_at(graph, x), vs = *value_at(graph, s);
    if (vs.h != 1 || vs.w != 1 || vs.c != vx.c)
        return tc_graph_mistake(graph, "a channel-wise product of %d×%d×%d by %d×%d×%d", vx.h, vx.w, vx.c, vs.h, vs.w,
                                vs.c);
    tc_layer layer = layer_on(&tc_scale_layer, x);
    layer.input[layer.inputs++] = s;
    return append(graph, layer, vx.h, vx.w, vx.c);
}

tc_node tc_graph_dropout(tc_graph *graph, tc_node x, double rate) {
    const tc_value in = *value_at(graph, x);
    if (!(rate >= 0 && rate < 1)) return tc_graph_mistake(graph, "dropout of %g; must be 0 … below 1", rate);
    tc_layer layer = layer_on(&tc_dropout_layer, x);
    layer.options.rate = rate;
    return append(graph, layer, in.h, in.w, in.c);
}

tc_node tc_graph_flatten(tc_graph *graph, tc_node x) {
    const tc_value in = *value_at(graph, x);
    if (in.h == 1 && in.w == 1) return x;
    return append(graph, layer_on(&tc_flatten_layer, x), 1, 1, in.h * in.w * in.c);
}

int tc_graph_parameter(tc_graph *graph, tc_tensor tensor) {
    return add_tensor(graph, false, NULL, NULL, tensor);
}

tc_node tc_graph_tokens(tc_graph *graph, tc_node x, int class_token, int positions) {
    const tc_value in = *value_at(graph, x);
    if (graph->error.status != TC_OK) return 0;
    const int tokens = 1 + in.h * in.w;
    const tc_tensor *list = graph->model->tensor;
    if (list[class_token].count != (size_t)in.c || list[positions].count != (size_t)in.c * (size_t)tokens)
        return tc_graph_mistake(graph, "%d tokens of %d channels do not fit %s and %s", tokens, in.c,
                                list[class_token].name, list[positions].name);
    tc_layer layer = layer_on(&tc_tokens_layer, x);
    layer.weight = class_token;
    layer.bias = positions;
    return append(graph, layer, tokens, 1, in.c);
}

tc_node tc_graph_first_token(tc_graph *graph, tc_node x) {
    return append(graph, layer_on(&tc_first_token_layer, x), 1, 1, value_at(graph, x)->c);
}

tc_node tc_graph_linear_each(tc_graph *graph, const char *name, tc_node x, int features) {
    return linear(graph, name, x, features, true);
}

tc_node tc_graph_layer_norm(tc_graph *graph, const char *name, tc_node x) {
    const tc_value in = *value_at(graph, x);
    tc_layer layer = layer_on(&tc_layer_norm_layer, x);
    layer.weight =
        add_tensor(graph, false, name, "weight", (tc_tensor){.rank = 1, .size = {in.c}, .init = TC_INIT_ONE});
    layer.bias = add_tensor(graph, false, name, "bias", (tc_tensor){.rank = 1, .size = {in.c}, .init = TC_INIT_ZERO});
    return append(graph, layer, in.h, in.w, in.c);
}

tc_node tc_graph_attention(tc_graph *graph, tc_node qkv, int heads) {
    const tc_value in = *value_at(graph, qkv);
    if (heads < 1 || in.c % 3 || in.c / 3 % heads)
        return tc_graph_mistake(graph, "attention: %d heads do not divide a third of %d channels", heads, in.c);
    tc_layer layer = layer_on(&tc_attention_layer, qkv);
    layer.options.heads = heads;
    return append(graph, layer, in.h, in.w, in.c / 3);
}

tc_node tc_graph_start_normal(tc_graph *graph, tc_node x, double sigma) {
    if (graph->error.status != TC_OK) return x;
    const tc_layer *layer = &graph->model->layer[value_at(graph, x)->layer];
    graph->model->tensor[layer->weight].init = TC_INIT_NORMAL;
    graph->model->tensor[layer->weight].bound = sigma;
    if (layer->bias >= 0) graph->model->tensor[layer->bias].init = TC_INIT_ZERO;
    return x;
}

tc_node tc_graph_name(tc_graph *graph, tc_node x, const char *name) {
    if (graph->error.status == TC_OK) snprintf(graph->model->value[x].name, TC_NAME_SIZE, "%s", name);
    return x;
}

tc_shape tc_graph_shape(const tc_graph *graph, tc_node x) {
    const tc_value *v = value_at(graph, x);
    return tc_nhwc(1, v->h, v->w, v->c);
}

/* ---- fusion: a layer absorbs the one that alone uses its value, and takes over that one's output ---- */

static tc_layer *producer(tc_model *m, tc_node x) {
    return m->value[x].layer >= 0 ? &m->layer[m->value[x].layer] : NULL;
}

static void absorb(tc_model *m, tc_layer *into, tc_layer *absorbed) {
    const int index = (int)(into - m->layer);
    m->value[into->output].layer = FUSED_AWAY;
    into->output = absorbed->output;
    m->value[into->output].layer = index;
    absorbed->class = NULL;
}

static void fuse_residual(tc_model *m, tc_layer *sum) {
    for (int i = 1; i >= 0; i--) {
        tc_layer *norm = producer(m, sum->input[i]);
        if (!norm || norm->class != &tc_batch_norm_layer || norm->inputs > 1 || norm->options.relu) continue;
        if (!tc_value_private(m, norm->output) || sum->input[0] == sum->input[1]) continue;
        norm->input[norm->inputs++] = sum->input[1 - i];
        absorb(m, norm, sum);
        return;
    }
}

static void fuse_relu(tc_model *m, tc_layer *relu) {
    tc_layer *before = producer(m, relu->input[0]);
    if (!before || before->options.relu || !tc_value_private(m, before->output)) return;
    if (before->class != &tc_convolution_layer && before->class != &tc_linear_layer &&
        before->class != &tc_batch_norm_layer)
        return;
    before->options.relu = true;
    absorb(m, before, relu);
}

static int by_output(const void *a, const void *b) {
    return ((const tc_layer *)a)->output - ((const tc_layer *)b)->output;
}

static void fuse(tc_model *m) {
    for (int i = 0; i < m->layers; i++)
        if (m->layer[i].class == &tc_add_layer) fuse_residual(m, &m->layer[i]);
    for (int i = 0; i < m->layers; i++)
        if (m->layer[i].class == &tc_activation_layer && m->layer[i].options.activation == TC_RELU)
            fuse_relu(m, &m->layer[i]);
    int kept = 0;
    for (int i = 0; i < m->layers; i++)
        if (m->layer[i].class) m->layer[kept++] = m->layer[i];
    m->layers = kept;
    /* A layer that absorbed later ones runs when the last of them would have. */
    qsort(m->layer, (size_t)m->layers, sizeof *m->layer, by_output);
    for (int i = 0; i < m->layers; i++) m->value[m->layer[i].output].layer = i;
}

static void check_names(tc_graph *graph) {
    const tc_model *m = graph->model;
    for (int i = 0; i < m->tensors; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(m->tensor[i].name, m->tensor[j].name)) {
                tc_graph_mistake(graph, "two tensors are called '%s'; give each layer a name of its own",
                                 m->tensor[i].name);
                return;
            }
    for (int i = 0; i < m->values; i++)
        for (int j = 0; j < i && m->value[i].name[0]; j++)
            if (!strcmp(m->value[i].name, m->value[j].name)) {
                tc_graph_mistake(graph, "two values are called '%s'; give each a name of its own", m->value[i].name);
                return;
            }
}

tc_status tc_graph_finish(tc_graph *graph, tc_node logits, tc_model **model, tc_error *error) {
    *model = NULL;
    tc_model *m = graph->model;
    const tc_value *v = value_at(graph, logits);
    if (v->h != 1 || v->w != 1 || v->c != m->classes)
        tc_graph_mistake(graph, "ends in %d×%d×%d values; %d logits are needed", v->h, v->w, v->c, m->classes);
    check_names(graph);
    tc_status status = graph->error.status;
    if (status == TC_OK) {
        m->logits = logits;
        fuse(m);
        status = tc_model_fold(m, error);
    } else {
        tc_raise(error, status, "%s", graph->error.message);
    }
    if (graph == &no_graph) return status;
    if (status == TC_OK)
        *model = m;
    else
        tc_model_free(m);
    free(graph);
    return status;
}
