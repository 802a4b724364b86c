/* weights.h — a model's parameters and running statistics in host memory, and as safetensors files. */
#ifndef TC_NN_WEIGHTS_H
#define TC_NN_WEIGHTS_H

#include "nn/model.h"

typedef struct tc_weights {
    float *theta; /* [tc_model_parameters] */
    float *state; /* [tc_model_state] */
} tc_weights;

tc_status tc_weights_create(const tc_model *model, tc_weights *weights, tc_error *error); /* zeroed */
void tc_weights_free(tc_weights *weights);

/* Reads every tensor of the model by name; a missing, superfluous (other than "….num_batches_tracked"), mis-shaped or
 * non-finite one, or a file that is not safetensors, is refused and `weights` is left as it was. F32 and F64. */
tc_status tc_weights_load(const tc_model *model, const char *path, tc_weights *weights, tc_error *error);
/* Writes a temporary file beside `path` and renames it: a reader never sees half a file. */
tc_status tc_weights_save(const tc_model *model, const char *path, const tc_weights *weights, tc_error *error);

/* The same to and from memory: the bytes (free them) are those of the file. `name` stands for them in messages. */
tc_status tc_weights_encode(const tc_model *model, const tc_weights *weights, uint8_t **bytes, size_t *size,
                            tc_error *error);
tc_status tc_weights_decode(const tc_model *model, const char *name, const uint8_t *bytes, size_t size,
                            tc_weights *weights, tc_error *error);

/* The same as loading for double precision and vectors of the caller's, [tc_model_parameters] and [tc_model_state].
 * state == NULL: only the parameters are read, as of a direction θ̇; running statistics in the file are passed over. */
tc_status tc_weights_read(const tc_model *model, const char *path, double *theta, double *state, tc_error *error);

#endif
