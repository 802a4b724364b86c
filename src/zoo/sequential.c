/* sequential.c — a network of one's own, from a YAML list of layers:
 *
 *     - conv 32                                   a word, what it is mostly told, and NAME=VALUE
 *     - batch-norm
 *     - relu
 *     - residual: [conv 64 stride=2, batch-norm, relu, conv 64, batch-norm]
 *       shortcut: [conv 64 kernel=1 stride=2 bias=false, batch-norm]
 *     - repeat 2: [conv 64, batch-norm, relu]
 *     - global-pool
 *     - linear
 *
 * Names are those of an nn.Sequential in which each entry is one module: 0.weight, 1.running_mean; the layers within a
 * block come after the block's name, 3.body.0.weight and 3.shortcut.0.weight. `repeat` is no module: what it repeats
 * lies in the list around it. What goes into the last layer has the name "features".
 *
 * A layer is one row of `kinds`: what it may be told, and a builder. Mistakes are the graph's (tc_graph_mistake), so
 * that no builder has to ask whether the one before has failed; where the first was made is kept in `place`. */
#include "zoo/family.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEEPEST = 16, MOST_LAYERS = 2000, LONGEST_LAYER = 256, MOST_CHANNELS = 1 << 16, MOST_WINDOW = 1 << 10 };

static const char features[] = "features";

/* Of class token and positions, as timm has them. */
static const double class_sigma = 1e-6, position_sigma = 0.02;

const tc_option tc_zoo_sequential_options[] = {
    TC_LIST(tc_zoo_options, layers, "", "the layers, from the images to the logits; `tocsin list layers` has them"),
    TC_OPTIONS_END,
};

/* ---- what layers may be told ---- */

typedef struct told {
    char name[TC_TEXT_SIZE], value[TC_TEXT_SIZE];
    int64_t channels, kernel, stride, padding, output_padding, groups, features, heads, times;
    double slope, rate;
    bool bias;
} told;

#define BIAS TC_BOOL(told, bias, "true", "adds one number a channel")

/* What every layer may be told. */
static const tc_option shared_options[] = {
    TC_TEXT(told, name, "", "of its module; empty: its place in the list"),
    TC_TEXT(told, value, "", "a name for what it puts out, by which attacks can ask for it as features"),
    TC_OPTIONS_END};

static const tc_option conv_options[] = {
    TC_INT(told, channels, 0, 0, MOST_CHANNELS, "channels", "that it puts out"),
    TC_INT(told, kernel, 3, 1, MOST_WINDOW, "pixels", "side of the window"),
    TC_INT(told, stride, 1, 1, MOST_WINDOW, "pixels", "from window to window"),
    TC_INT(told, padding, -1, -1, MOST_WINDOW, "pixels", "zeros around the image; -1: half the kernel"),
    TC_INT(told, groups, 1, 1, MOST_CHANNELS, "groups", "of channels that do not mix"),
    BIAS,
    TC_OPTIONS_END};
static const tc_option transposed_options[] = {
    TC_INT(told, channels, 0, 0, MOST_CHANNELS, "channels", "that it puts out"),
    TC_INT(told, kernel, 2, 1, MOST_WINDOW, "pixels", "side of the window"),
    TC_INT(told, stride, 2, 1, MOST_WINDOW, "pixels", "from window to window"),
    TC_INT(told, padding, 0, 0, MOST_WINDOW, "pixels", "cut off around the result"),
    TC_INT(told, output_padding, 0, 0, MOST_WINDOW, "pixels", "added at two sides of the result"),
    TC_INT(told, groups, 1, 1, MOST_CHANNELS, "groups", "of channels that do not mix"),
    BIAS,
    TC_OPTIONS_END};
static const tc_option linear_options[] = {
    TC_INT(told, features, 0, 0, 1 << 24, "features", "that it puts out; 0: the classes"), BIAS, TC_OPTIONS_END};
static const tc_option each_options[] = {TC_INT(told, features, 0, 0, 1 << 24, "features", "that it puts out"),
                                         TC_OPTIONS_END};
static const tc_option plain_options[] = {TC_OPTIONS_END};
static const tc_option leaky_options[] = {TC_REAL(told, slope, 0.01, -1e3, 1e3, "", "below zero (PyTorch: 0.01)"),
                                          TC_OPTIONS_END};
static const tc_option pool_options[] = {
    TC_INT(told, kernel, 2, 1, MOST_WINDOW, "pixels", "side of the window"),
    TC_INT(told, stride, 0, 0, MOST_WINDOW, "pixels", "from window to window; 0: as far as the window is wide"),
    TC_INT(told, padding, 0, 0, MOST_WINDOW, "pixels", "around the image"), TC_OPTIONS_END};
static const tc_option dropout_options[] = {TC_REAL(told, rate, 0.5, 0, 0.95, "", "of what is dropped"),
                                            TC_OPTIONS_END};
static const tc_option attention_options[] = {TC_INT(told, heads, 1, 1, MOST_CHANNELS, "heads", "that attend apart"),
                                              TC_OPTIONS_END};
static const tc_option repeat_options[] = {
    TC_INT(told, times, 2, 1, MOST_LAYERS, "times", "that the list is laid down"), TC_OPTIONS_END};

/* ---- reading ---- */

typedef struct reading {
    yaml_document_t *document;
    tc_graph *graph;
    int classes, depth, layers;
    bool has_features;             /* some layer has given this name */
    tc_node named;                 /* the last to which a layer has given another */
    char place[2 * LONGEST_LAYER]; /* of the first mistake; "": none */
} reading;

/* One entry of a list. */
typedef struct part {
    const yaml_node_t *node;
    const char *module; /* its name */
    told told;
} part;

typedef struct kind {
    tc_zoo_layer shown;
    const char *first;                                      /* the option that stands without its name; NULL: none */
    tc_node (*build)(reading *r, const part *e, tc_node x); /* NULL: repeat, which is no module of its own */
    const char *list, *other; /* of a block: what its lists are called; `other` may be absent */
} kind;

static const yaml_node_t *node_at(const reading *r, int index) {
    return yaml_document_get_node(r->document, index);
}

static bool is_scalar(const yaml_node_t *node) {
    return node && node->type == YAML_SCALAR_NODE;
}

static const char *text_of(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

/* The value of the block's key number `which`, NULL where it has not so many. */
static const yaml_node_t *value_of(const reading *r, const yaml_node_t *block, int which) {
    const yaml_node_pair_t *pair = block->data.mapping.pairs.start + which;
    return pair < block->data.mapping.pairs.top ? node_at(r, pair->value) : NULL;
}

static tc_node build_list(reading *r, const yaml_node_t *list, const char *prefix, int *index, tc_node x);

/* The list at key `which` of a block, its modules called MODULE.WORD.0 …; x where there is none. */
static tc_node build_part(reading *r, const part *e, int which, const char *word, tc_node x) {
    tc_zoo_text prefix;
    int index = 0;
    const yaml_node_t *list = value_of(r, e->node, which);
    return list ? build_list(r, list, tc_zoo_name(prefix, "%s.%s.", e->module, word), &index, x) : x;
}

/* ---- the builders ---- */

static tc_conv_options window(const told *t, int padding) {
    return (tc_conv_options){.channels = (int)t->channels,
                             .kernel = (int)t->kernel,
                             .stride = (int)t->stride,
                             .padding = padding,
                             .groups = (int)t->groups,
                             .output_padding = (int)t->output_padding,
                             .no_bias = !t->bias};
}

static tc_node conv(reading *r, const part *e, tc_node x) {
    const told *t = &e->told;
    return tc_graph_conv(r->graph, e->module, x, window(t, (int)(t->padding < 0 ? t->kernel / 2 : t->padding)));
}

static tc_node conv_transposed(reading *r, const part *e, tc_node x) {
    return tc_graph_conv_transposed(r->graph, e->module, x, window(&e->told, (int)e->told.padding));
}

static tc_node linear(reading *r, const part *e, tc_node x) {
    const int many = e->told.features ? (int)e->told.features : r->classes;
    return tc_graph_linear(r->graph, e->module, x, many, e->told.bias);
}

static tc_node linear_each(reading *r, const part *e, tc_node x) {
    return tc_graph_linear_each(r->graph, e->module, x, (int)e->told.features);
}

static tc_node batch_norm(reading *r, const part *e, tc_node x) {
    return tc_graph_batch_norm(r->graph, e->module, x);
}

static tc_node layer_norm(reading *r, const part *e, tc_node x) {
    return tc_graph_layer_norm(r->graph, e->module, x);
}

static tc_node relu(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_relu(r->graph, x);
}

static tc_node leaky_relu(reading *r, const part *e, tc_node x) {
    return tc_graph_activation(r->graph, x, TC_LEAKY_RELU, e->told.slope);
}

static tc_node relu6(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_activation(r->graph, x, TC_RELU6, 0);
}

static tc_node gelu(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_activation(r->graph, x, TC_GELU, 0);
}

static tc_node sigmoid(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_activation(r->graph, x, TC_SIGMOID, 0);
}

static tc_node hyperbolic_tangent(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_activation(r->graph, x, TC_TANH, 0);
}

static int stride_of(const told *t) {
    return (int)(t->stride ? t->stride : t->kernel);
}

static tc_node max_pool(reading *r, const part *e, tc_node x) {
    return tc_graph_max_pool(r->graph, x, (int)e->told.kernel, stride_of(&e->told), (int)e->told.padding);
}

static tc_node average_pool(reading *r, const part *e, tc_node x) {
    return tc_graph_average_pool(r->graph, x, (int)e->told.kernel, stride_of(&e->told), (int)e->told.padding);
}

static tc_node global_pool(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_global_pool(r->graph, x);
}

static tc_node flatten(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_flatten(r->graph, x);
}

static tc_node dropout(reading *r, const part *e, tc_node x) {
    return tc_graph_dropout(r->graph, x, e->told.rate);
}

static tc_node tokens(reading *r, const part *e, tc_node x) {
    const tc_shape in = tc_graph_shape(r->graph, x);
    tc_tensor class_token = {.rank = 3, .size = {1, 1, in.c}, .init = TC_INIT_NORMAL, .bound = class_sigma},
              positions = {
                  .rank = 3, .size = {1, 1 + in.h * in.w, in.c}, .init = TC_INIT_NORMAL, .bound = position_sigma};
    tc_zoo_name(class_token.name, "%s.cls_token", e->module);
    tc_zoo_name(positions.name, "%s.pos_embed", e->module);
    const int first = tc_graph_parameter(r->graph, class_token);
    return tc_graph_tokens(r->graph, x, first, tc_graph_parameter(r->graph, positions));
}

static tc_node first_token(reading *r, const part *e, tc_node x) {
    (void)e;
    return tc_graph_first_token(r->graph, x);
}

static tc_node attention(reading *r, const part *e, tc_node x) {
    return tc_graph_attention(r->graph, x, (int)e->told.heads);
}

static tc_node residual(reading *r, const part *e, tc_node x) {
    const tc_node body = build_part(r, e, 0, "body", x);
    return tc_graph_add(r->graph, body, build_part(r, e, 1, "shortcut", x));
}

static tc_node scale(reading *r, const part *e, tc_node x) {
    return tc_graph_scale(r->graph, x, build_part(r, e, 0, "gate", x));
}

static tc_node concat(reading *r, const part *e, tc_node x) {
    const yaml_node_t *lists = value_of(r, e->node, 0);
    const yaml_node_item_t *item = lists->data.sequence.items.start;
    tc_node branch[TC_MAX_INPUTS];
    int parts = 0;
    for (; item < lists->data.sequence.items.top; item++, parts++) {
        tc_zoo_text prefix;
        int index = 0;
        if (parts == TC_MAX_INPUTS) return tc_graph_mistake(r->graph, "more than %d branches", TC_MAX_INPUTS);
        tc_zoo_name(prefix, "%s.%d.", e->module, parts);
        branch[parts] = build_list(r, node_at(r, *item), prefix, &index, x);
    }
    return tc_graph_concat(r->graph, branch, parts);
}

#define LAYER(name, form, summary, options, first, build)                                                              \
    { {name, form, summary, options}, first, build, NULL, NULL }
#define BLOCK(name, form, summary, options, first, build, list, other)                                                 \
    { {name, form, summary, options}, first, build, list, other }

static const kind kinds[] = {
    LAYER("conv", "conv CHANNELS", "convolution", conv_options, "channels", conv),
    LAYER("conv-transposed", "conv-transposed CHANNELS", "transposed convolution", transposed_options, "channels",
          conv_transposed),
    LAYER("linear", "linear [FEATURES]", "linear layer on flattened features", linear_options, "features", linear),
    LAYER("linear-each", "linear-each FEATURES", "one linear layer for all positions, or tokens", each_options,
          "features", linear_each),
    LAYER("batch-norm", "batch-norm", "batch normalisation", plain_options, NULL, batch_norm),
    LAYER("layer-norm", "layer-norm", "layer normalisation over the channels of a position, or token", plain_options,
          NULL, layer_norm),
    LAYER("relu", "relu", "max(0, x)", plain_options, NULL, relu),
    LAYER("leaky-relu", "leaky-relu [SLOPE]", "x, below zero SLOPE times x", leaky_options, "slope", leaky_relu),
    LAYER("relu6", "relu6", "min(6, max(0, x))", plain_options, NULL, relu6),
    LAYER("gelu", "gelu", "x times the normal distribution up to x", plain_options, NULL, gelu),
    LAYER("sigmoid", "sigmoid", "1 / (1 + exp(-x))", plain_options, NULL, sigmoid),
    LAYER("tanh", "tanh", "hyperbolic tangent", plain_options, NULL, hyperbolic_tangent),
    LAYER("max-pool", "max-pool [KERNEL]", "the largest of each window", pool_options, "kernel", max_pool),
    LAYER("average-pool", "average-pool [KERNEL]", "the mean of each window, padding counted", pool_options, "kernel",
          average_pool),
    LAYER("global-pool", "global-pool", "the mean over all positions", plain_options, NULL, global_pool),
    LAYER("flatten", "flatten", "an image's values as features, in PyTorch's order", plain_options, NULL, flatten),
    LAYER("dropout", "dropout [RATE]", "while training, a part of the values is 0", dropout_options, "rate", dropout),
    LAYER("tokens", "tokens", "positions to tokens: a class token before, learnt positions added", plain_options, NULL,
          tokens),
    LAYER("attention", "attention HEADS", "self-attention; its input has q, k and v of all heads as channels",
          attention_options, "heads", attention),
    LAYER("first-token", "first-token", "the class token alone", plain_options, NULL, first_token),
    BLOCK("residual", "residual: [LAYERS], shortcut: [LAYERS]",
          "the sum of both; without shortcut, of LAYERS and their input", plain_options, NULL, residual, "body",
          "shortcut"),
    BLOCK("scale", "scale: [LAYERS]",
          "its input times what LAYERS make of it, a number a channel (squeeze and excitation)", plain_options, NULL,
          scale, "gate", NULL),
    BLOCK("concat", "concat: [[LAYERS], [LAYERS]]", "the channels of all branches, one behind the other", plain_options,
          NULL, concat, "branches", NULL),
    BLOCK("repeat", "repeat TIMES: [LAYERS]", "LAYERS so many times", repeat_options, "times", NULL, "layers", NULL),
};
enum { KINDS = sizeof kinds / sizeof *kinds };

const tc_option *tc_zoo_layer_options(void) {
    return shared_options;
}

const tc_zoo_layer *tc_zoo_layer_at(int i) {
    return i >= 0 && i < KINDS ? &kinds[i].shown : NULL;
}

/* ---- an entry: words of a layer, or a block with its lists ---- */

static const kind *kind_of(reading *r, const char *word) {
    const char *known[KINDS + 1] = {NULL};
    for (int i = 0; i < KINDS; i++) {
        known[i] = kinds[i].shown.name;
        if (!strcmp(word, known[i])) return &kinds[i];
    }
    const char *near = tc_nearest(word, known);
    tc_graph_mistake(r->graph, "'%.64s' is no layer; %s%s%s", word, near ? "did you mean '" : "`tocsin list layers`",
                     near ? near : " has them all", near ? "'?" : "");
    return NULL;
}

static void tell(reading *r, const kind *k, const char *name, const char *value, told *t) {
    tc_error reason = {0};
    const bool shared = k->build && tc_option_find(shared_options, name);
    if (tc_options_set(shared ? shared_options : k->shown.options, t, name, value, &reason) != TC_OK)
        tc_graph_mistake(r->graph, "%s", reason.message);
}

static void check_name(reading *r, const char *name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (strlen(name) > TC_NAME_SIZE / 2 || strspn(name, letters) < strlen(name))
        tc_graph_mistake(r->graph, "'%.64s' is no name; take up to %d letters, digits, '_', '-' and '.'", name,
                         TC_NAME_SIZE / 2);
}

/* "conv 64 stride=2" */
static const kind *read_words(reading *r, const char *text, told *t) {
    char words[LONGEST_LAYER], *rest = NULL;
    if (strlen(text) >= sizeof words) {
        tc_graph_mistake(r->graph, "is %zu bytes long; write less than %d", strlen(text), LONGEST_LAYER);
        return NULL;
    }
    snprintf(words, sizeof words, "%s", text);
    const char *word = strtok_r(words, " \t\n", &rest);
    const kind *k = kind_of(r, word ? word : "");
    if (!k) return NULL;
    tc_options_default(shared_options, t);
    tc_options_default(k->shown.options, t);
    const char *first = k->first;
    for (char *next; (next = strtok_r(NULL, " \t\n", &rest));) {
        char *equals = strchr(next, '=');
        if (equals) {
            *equals = '\0';
            tell(r, k, next, equals + 1, t);
        } else if (first) {
            tell(r, k, first, next, t);
            first = NULL; /* one only */
        } else {
            tc_graph_mistake(r->graph, "'%.64s' is one value too many; write NAME=VALUE", next);
        }
    }
    check_name(r, t->name);
    check_name(r, t->value);
    return k;
}

static bool is_list(const yaml_node_t *node, bool of_lists, const reading *r) {
    if (!node || node->type != YAML_SEQUENCE_NODE) return false;
    const yaml_node_item_t *item = node->data.sequence.items.start, *end = node->data.sequence.items.top;
    if (item == end) return false;
    for (; of_lists && item < end; item++)
        if (!is_list(node_at(r, *item), false, r)) return false;
    return true;
}

/* That a block has the lists it needs and no others, and a layer none. */
static void check_lists(reading *r, const kind *k, const yaml_node_t *node) {
    if (node->type == YAML_SCALAR_NODE) {
        if (k->list) tc_graph_mistake(r->graph, "needs its %s; write %s", k->list, k->shown.form);
        return;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    const long pairs = node->data.mapping.pairs.top - pair;
    if (!k->list) {
        tc_graph_mistake(r->graph, "has nothing below it; write it in one line: %s NAME=VALUE", k->shown.form);
        return;
    }
    if (!is_list(node_at(r, pair->value), k->build == concat, r))
        tc_graph_mistake(r->graph, "its %s must be a list%s with something in it; write %s", k->list,
                         k->build == concat ? " of lists" : "", k->shown.form);
    for (long i = 1; i < pairs; i++) {
        const yaml_node_t *key = node_at(r, pair[i].key);
        const char *word = is_scalar(key) ? text_of(key) : "";
        if (i > 1 || !k->other || strcmp(word, k->other) != 0)
            tc_graph_mistake(r->graph, "'%.64s' does not belong here; write %s", word, k->shown.form);
        else if (!is_list(node_at(r, pair[i].value), false, r))
            tc_graph_mistake(r->graph, "its %s must be a list with something in it; write %s", word, k->shown.form);
    }
}

/* The words of an entry: the scalar, or the block's first key. */
static const char *words_of(const reading *r, const yaml_node_t *node) {
    if (node->type == YAML_MAPPING_NODE && node->data.mapping.pairs.start < node->data.mapping.pairs.top)
        node = node_at(r, node->data.mapping.pairs.start->key);
    return is_scalar(node) ? text_of(node) : "";
}

static tc_node repeat(reading *r, const yaml_node_t *block, int64_t times, const char *prefix, int *index, tc_node x) {
    for (int64_t i = 0; i < times && !tc_graph_failed(r->graph); i++)
        x = build_list(r, value_of(r, block, 0), prefix, index, x);
    return x;
}

static tc_node build_entry(reading *r, const yaml_node_t *node, const char *prefix, int *index, tc_node x) {
    tc_zoo_text module;
    part e = {.node = node, .module = module};
    const kind *k = read_words(r, words_of(r, node), &e.told);
    if (!k || tc_graph_failed(r->graph)) return x;
    check_lists(r, k, node);
    if (tc_graph_failed(r->graph)) return x;
    if (!k->build) return repeat(r, node, e.told.times, prefix, index, x);
    if (*e.told.name)
        tc_zoo_name(module, "%s%s", prefix, e.told.name);
    else
        tc_zoo_name(module, "%s%d", prefix, *index);
    ++*index;
    x = k->build(r, &e, x);
    r->has_features |= !strcmp(e.told.value, features);
    if (!*e.told.value) return x;
    r->named = x;
    return tc_graph_name(r->graph, x, e.told.value);
}

/* The layers of `list`, number *index on of the modules called PREFIX0, PREFIX1, … */
static tc_node build_list(reading *r, const yaml_node_t *list, const char *prefix, int *index, tc_node x) {
    const yaml_node_item_t *item = list->data.sequence.items.start;
    const bool whole = !r->depth;
    if (++r->depth > DEEPEST)
        tc_graph_mistake(r->graph, "blocks within blocks are %d deep; at most %d", r->depth, DEEPEST);
    for (; item < list->data.sequence.items.top && !tc_graph_failed(r->graph); item++) {
        const int number = *index; /* of its module, as the tensors' names count */
        const yaml_node_t *node = node_at(r, *item);
        const bool last = whole && item + 1 == list->data.sequence.items.top;
        if (++r->layers > MOST_LAYERS) tc_graph_mistake(r->graph, "more than %d layers", MOST_LAYERS);
        if (last && !r->has_features && r->named == x)
            tc_graph_mistake(r->graph,
                             "what goes into the last layer is called %s; write value=%s above it, or nothing",
                             features, features);
        if (last && !r->has_features) x = tc_graph_name(r->graph, x, features);
        x = build_entry(r, node, prefix, index, x);
        if (tc_graph_failed(r->graph) && !*r->place)
            snprintf(r->place, sizeof r->place, "layers: %s%d '%.*s'", prefix, number, LONGEST_LAYER,
                     words_of(r, node));
    }
    r->depth--;
    return x;
}

/* ---- the text ---- */

static tc_node read_layers(reading *r, yaml_parser_t *parser, const char *text) {
    yaml_document_t document;
    tc_node x = tc_graph_input(r->graph);
    int index = 0;
    yaml_parser_set_input_string(parser, (const unsigned char *)text, strlen(text));
    if (!yaml_parser_load(parser, &document))
        return tc_graph_mistake(r->graph, "layers: not valid YAML: %s; mend line %zu",
                                parser->problem ? parser->problem : "cannot be read", parser->problem_mark.line + 1);
    r->document = &document;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (is_list(root, false, r))
        x = build_list(r, root, "", &index, x);
    else
        tc_graph_mistake(r->graph, "layers: %s; write [conv 32, relu, …, linear]",
                         root && root->type != YAML_SEQUENCE_NODE ? "is no list" : "is empty");
    yaml_document_delete(&document);
    r->document = NULL;
    return x;
}

tc_status tc_zoo_sequential(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                            tc_model **model, tc_error *error) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return tc_raise(error, TC_FAILED, "memory: none left to read layers; free some");
    reading r = {
        .graph = tc_graph_begin(entry->name, input.h, input.w, input.c, classes), .classes = classes, .named = -1};
    const tc_node logits = read_layers(&r, &parser, options->layers);
    yaml_parser_delete(&parser);
    const tc_status status = tc_graph_finish(r.graph, logits, model, error);
    return status != TC_OK && *r.place ? tc_error_at(error, r.place) : status;
}
