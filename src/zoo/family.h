/* family.h — what the files of the zoo share: the rows' builders and the few lines that every family would repeat.
 *
 * A new family is one file: a table of options, a builder with the signature of tc_zoo_entry.build that says which
 * inputs it takes (tc_zoo_at_least) and chains tc_graph_… calls, its two names below, and its rows in zoo.c. */
#ifndef TC_ZOO_FAMILY_H
#define TC_ZOO_FAMILY_H

#include "zoo/zoo.h"

#define TC_ZOO_FAMILY(family)                                                                                          \
    extern const tc_option tc_zoo_##family##_options[];                                                                \
    tc_status tc_zoo_##family(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,   \
                              tc_model **model, tc_error *error)

TC_ZOO_FAMILY(logreg);
TC_ZOO_FAMILY(mlp);
TC_ZOO_FAMILY(lenet);
TC_ZOO_FAMILY(cnn);
TC_ZOO_FAMILY(convnet);
TC_ZOO_FAMILY(vgg);
TC_ZOO_FAMILY(resnet);
TC_ZOO_FAMILY(mobilenet);
TC_ZOO_FAMILY(vit);
TC_ZOO_FAMILY(sequential);

enum { TC_ZOO_MAX_WIDTH = 4096 };

/* The rows of a family's table; the default stands in the table and where a zeroed tc_zoo_options is given. */
#define TC_ZOO_WIDTH(fallback, help) TC_INT(tc_zoo_options, width, fallback, 1, TC_ZOO_MAX_WIDTH, "", help)
#define TC_ZOO_DROPOUT(help)         TC_REAL(tc_zoo_options, dropout, 0, 0, 0.95, "", help)

/* options->width, or `fallback` where it is 0. */
int tc_zoo_width(const tc_zoo_options *options, int fallback);

/* Refuses images lower or narrower than `least` pixels. */
tc_status tc_zoo_at_least(const tc_zoo_entry *entry, tc_shape input, int least, tc_error *error);

typedef char tc_zoo_text[TC_NAME_SIZE];
/* The name of a module, printf style: tc_zoo_name(name, "layer%d.%d.conv1", stage, block). Returns `name`. */
__attribute__((format(printf, 2, 3))) const char *tc_zoo_name(tc_zoo_text name, const char *format, ...);

/* Dropout where the rate is not 0. */
tc_node tc_zoo_dropout(tc_graph *graph, tc_node x, const tc_zoo_options *options);

/* Convolution and batch norm, the step that the convolutional families repeat; with ReLU or without. */
typedef struct tc_zoo_step {
    const char *conv, *norm; /* the modules' names */
    tc_conv_options options;
} tc_zoo_step;
tc_node tc_zoo_conv_norm(tc_graph *graph, tc_node x, tc_zoo_step step);
tc_node tc_zoo_conv_norm_relu(tc_graph *graph, tc_node x, tc_zoo_step step);

#endif
