/* zoo.h — the networks by the field's names. One file per family; each registers its rows here. */
#ifndef TC_ZOO_ZOO_H
#define TC_ZOO_ZOO_H

#include "base/option.h"
#include "nn/model.h"

enum { TC_ZOO_LAYERS_SIZE = 1 << 14 };

/* Options that any family may read; which ones it does is said by its table. */
typedef struct tc_zoo_options {
    int64_t width;               /* channels of the first stage (or hidden units); 0: the network's own default */
    double dropout;              /* rate after each stage, where the family has it */
    int64_t depth, heads, patch; /* of transformers; 0: the network's own default */
    double mlp_ratio;
    char layers[TC_ZOO_LAYERS_SIZE]; /* of sequential: a YAML list */
} tc_zoo_options;

typedef struct tc_zoo_entry {
    const char *name;    /* "resnet18" */
    const char *summary; /* one line with the source */
    const tc_option *options;
    tc_status (*build)(const struct tc_zoo_entry *entry, tc_shape input /* n ignored */, int classes,
                       const tc_zoo_options *options, tc_model **model, tc_error *error);
} tc_zoo_entry;

/* NULL-named entry ends the list. */
const tc_zoo_entry *tc_zoo_entries(void);
const tc_zoo_entry *tc_zoo_find(const char *name);
/* settings: "width=16", …; unknown names and networks are refused with the nearest known. */
tc_status tc_zoo_build(const char *name, tc_shape input, int classes, const char *const *settings, int count,
                       tc_model **model, tc_error *error);
/* The same of options that have been read. */
tc_status tc_zoo_build_entry(const tc_zoo_entry *entry, tc_shape input, int classes, const tc_zoo_options *options,
                             tc_model **model, tc_error *error);

/* What the network `sequential` is made of. */
typedef struct tc_zoo_layer {
    const char *name;         /* "conv" */
    const char *form;         /* "conv CHANNELS" */
    const char *summary;      /* one line */
    const tc_option *options; /* of its own */
} tc_zoo_layer;

/* Number i = 0 …; NULL past the end. */
const tc_zoo_layer *tc_zoo_layer_at(int i);
/* What every one of them may be told besides. */
const tc_option *tc_zoo_layer_options(void);

#endif
