/* model.h — a network: an immutable graph of layers over one flat parameter vector.
 *
 * A builder (tc_graph_…) appends layers in the order of evaluation; each call returns the node whose value the layer
 * computes. Parameters get consecutive places in the flat vector θ ∈ R^p in the order in which the layers that own
 * them are added, with PyTorch's names and shapes; running statistics get places in a second vector, the state.
 * A mistake (shapes that do not fit) is remembered and reported once, by tc_graph_finish. */
#ifndef TC_NN_MODEL_H
#define TC_NN_MODEL_H

#include "base/error.h"
#include "base/random.h"
#include "compute/device.h"

typedef struct tc_graph tc_graph;
typedef struct tc_model tc_model;
typedef int tc_node;

enum { TC_NAME_SIZE = 96, TC_MAX_INPUTS = 8 };

/* How a parameter or a running statistic starts. */
typedef enum tc_init {
    TC_INIT_UNIFORM, /* U(−bound, bound) */
    TC_INIT_ZERO,
    TC_INIT_ONE,
    TC_INIT_NORMAL, /* N(0, bound²) */
} tc_init;

/* One tensor of the parameter or the state vector. */
typedef struct tc_tensor {
    char name[TC_NAME_SIZE]; /* PyTorch's, e.g. "layer1.0.conv1.weight" */
    int rank;                /* 1 … 4 */
    int size[4];             /* convolutions OIHW, transposed ones IOHW, linear [out][in] */
    size_t offset, count;    /* place in the flat vector */
    tc_init init;
    double bound; /* of TC_INIT_UNIFORM; of TC_INIT_NORMAL the standard deviation */
} tc_tensor;

typedef struct tc_conv_options {
    int channels;        /* out */
    int kernel, stride;  /* stride 0 means 1 */
    int padding, groups; /* groups 0 means 1 */
    int output_padding;  /* transposed only */
    bool no_bias;
} tc_conv_options;

tc_graph *tc_graph_begin(const char *name, int height, int width, int channels, int classes);
tc_node tc_graph_input(tc_graph *graph);
/* `name` is the module's name: its parameters are name.weight and name.bias. */
tc_node tc_graph_conv(tc_graph *graph, const char *name, tc_node x, tc_conv_options options);
tc_node tc_graph_conv_transposed(tc_graph *graph, const char *name, tc_node x, tc_conv_options options);
tc_node tc_graph_linear(tc_graph *graph, const char *name, tc_node x, int features, bool bias);
tc_node tc_graph_batch_norm(tc_graph *graph, const char *name, tc_node x);
/* kind's slope: of leaky ReLU below zero. */
tc_node tc_graph_activation(tc_graph *graph, tc_node x, tc_activation_kind kind, double slope);
tc_node tc_graph_relu(tc_graph *graph, tc_node x);
tc_node tc_graph_max_pool(tc_graph *graph, tc_node x, int kernel, int stride, int padding);
tc_node tc_graph_average_pool(tc_graph *graph, tc_node x, int kernel, int stride, int padding);
tc_node tc_graph_global_pool(tc_graph *graph, tc_node x); /* average over h and w: [n][c] */
tc_node tc_graph_add(tc_graph *graph, tc_node a, tc_node b);
tc_node tc_graph_concat(tc_graph *graph, const tc_node *parts, int count); /* along the channels */
tc_node tc_graph_scale(tc_graph *graph, tc_node x, tc_node s);             /* channel-wise product; s has h = w = 1 */
tc_node tc_graph_dropout(tc_graph *graph, tc_node x, double rate);
tc_node tc_graph_flatten(tc_graph *graph, tc_node x); /* (c, h, w) order, as PyTorch */
/* ---- transformers: a value's positions are its tokens ---- */
/* A tensor that takes its place in θ now and gets its layer later. Its name and sizes are as given. */
int tc_graph_parameter(tc_graph *graph, tc_tensor tensor);
/* [class token; the positions of x] + positions, from the parameters [1][1][c] and [1][1 + h·w][c]. */
tc_node tc_graph_tokens(tc_graph *graph, tc_node x, int class_token, int positions);
tc_node tc_graph_first_token(tc_graph *graph, tc_node x);
tc_node tc_graph_linear_each(tc_graph *graph, const char *name, tc_node x, int features); /* at each position */
tc_node tc_graph_layer_norm(tc_graph *graph, const char *name, tc_node x);                /* over the channels */
tc_node tc_graph_attention(tc_graph *graph, tc_node qkv, int heads); /* channels: q, k and v of all heads */
/* The layer that computes x starts with weights from N(0, sigma²) and a bias of 0. Returns x. */
tc_node tc_graph_start_normal(tc_graph *graph, tc_node x, double sigma);
/* Names a value, so that its features can be asked for ("features", "block3"). Returns x. */
tc_node tc_graph_name(tc_graph *graph, tc_node x, const char *name);
/* A mistake that the caller finds: everything after it is ignored, and tc_graph_finish reports it. Returns a node. */
__attribute__((format(printf, 2, 3))) tc_node tc_graph_mistake(tc_graph *graph, const char *format, ...);
bool tc_graph_failed(const tc_graph *graph); /* whether there has been a mistake */
/* The height, width and channels of a node's value. */
tc_shape tc_graph_shape(const tc_graph *graph, tc_node x);

/* Checks, fuses (convolution + ReLU, batch norm + sum + ReLU) and freezes; `logits` must have `classes` features.
 * Always frees the graph. */
tc_status tc_graph_finish(tc_graph *graph, tc_node logits, tc_model **model, tc_error *error);
void tc_model_free(tc_model *model);

const char *tc_model_name(const tc_model *model);
tc_shape tc_model_input(const tc_model *model); /* n = 1, NHWC */
int tc_model_classes(const tc_model *model);
size_t tc_model_parameters(const tc_model *model);                            /* p, the length of θ */
size_t tc_model_state(const tc_model *model);                                 /* the length of the running statistics */
int tc_model_tensors(const tc_model *model, const tc_tensor **tensors);       /* of θ */
int tc_model_state_tensors(const tc_model *model, const tc_tensor **tensors); /* of the state */
tc_node tc_model_find(const tc_model *model, const char *name);               /* −1: no value of that name */
/* The names given with tc_graph_name, in order; returns how many. */
int tc_model_names(const tc_model *model, const char **names, int room);
/* Of its name, its tensors and what its layers do: of two networks that differ, all but surely two numbers. */
uint64_t tc_model_fingerprint(const tc_model *model);
/* Multiply-accumulates of one image's forward pass, in convolutions and linear layers. */
double tc_model_macs(const tc_model *model);

/* PyTorch's default initialisation from a stream: theta [p], state [tc_model_state], in host memory. */
void tc_model_init(const tc_model *model, tc_stream stream, float *theta, float *state);

#endif
