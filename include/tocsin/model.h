/* model.h — a network of the zoo with its weights.
 *
 * All parameters are one flat vector θ of length p, in which every tensor has its place; the running statistics of
 * batch normalisation are a second one. Names and shapes are those of the well-known PyTorch CIFAR models (convolutions
 * [out][in][height][width], linear layers [out][in]), so checkpoints go both ways. */
#ifndef TOCSIN_MODEL_H
#define TOCSIN_MODEL_H

#include "tocsin/dataset.h"
#include "tocsin/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_model tocsin_model;

typedef enum tocsin_vector { TOCSIN_PARAMETERS, TOCSIN_STATISTICS } tocsin_vector;

/* One tensor of a vector. */
typedef struct tocsin_tensor {
    const char *name; /* "layer1.0.conv1.weight"; belongs to the model */
    int rank;         /* 1 … 4 */
    int size[4];      /* [rank] */
    size_t offset;    /* of its first number in the vector */
    size_t count;     /* product of the sizes */
} tocsin_tensor;

/* name: "resnet18", … (tocsin_list, TOCSIN_MODELS). Settings: what the network has, as width=16. All weights are zero
 * until they are initialised, set or loaded. */
TOCSIN_API tocsin_status tocsin_model_create(const char *name, tocsin_shape shape, int classes,
                                             const char *const *settings, tocsin_model **model, tocsin_error *error);
/* The same for the images and classes of a dataset, which need not outlive the model. */
TOCSIN_API tocsin_status tocsin_model_create_for(const char *name, const tocsin_dataset *dataset,
                                                 const char *const *settings, tocsin_model **model,
                                                 tocsin_error *error);
/* Another with its own copy of the weights. Surrogates of one architecture that are copies of each other take less
 * memory while a poison is made. */
TOCSIN_API tocsin_status tocsin_model_copy(const tocsin_model *model, tocsin_model **copy, tocsin_error *error);
TOCSIN_API void tocsin_model_free(tocsin_model *model);

TOCSIN_API const char *tocsin_model_name(const tocsin_model *model);
TOCSIN_API tocsin_shape tocsin_model_shape(const tocsin_model *model);
TOCSIN_API int tocsin_model_classes(const tocsin_model *model);
/* Length of a vector; of TOCSIN_PARAMETERS it is p. */
TOCSIN_API size_t tocsin_model_size(const tocsin_model *model, tocsin_vector vector);
TOCSIN_API size_t tocsin_model_tensors(const tocsin_model *model, tocsin_vector vector);
/* Tensor i = 0 … tocsin_model_tensors − 1, in the order of their places. */
TOCSIN_API tocsin_status tocsin_model_tensor(const tocsin_model *model, tocsin_vector vector, size_t i,
                                             tocsin_tensor *tensor, tocsin_error *error);

/* PyTorch's default initialisation: weights and biases uniform in ±1/√fan-in; batch normalisation 1 and 0. */
TOCSIN_API tocsin_status tocsin_model_initialise(tocsin_model *model, uint64_t seed, tocsin_error *error);
/* Copies a whole vector out or in; count must be tocsin_model_size. NaN and infinities are refused. */
TOCSIN_API tocsin_status tocsin_model_get(const tocsin_model *model, tocsin_vector vector, float *values, size_t count,
                                          tocsin_error *error);
TOCSIN_API tocsin_status tocsin_model_set(tocsin_model *model, tocsin_vector vector, const float *values, size_t count,
                                          tocsin_error *error);
/* A safetensors file. It must hold exactly the model's tensors, by name and shape (PyTorch's batch counters
 * "….num_batches_tracked" may stand there too). F16, BF16, F32 and F64 are read, F32 is written. */
TOCSIN_API tocsin_status tocsin_model_load(tocsin_model *model, const char *path, tocsin_error *error);
TOCSIN_API tocsin_status tocsin_model_save(const tocsin_model *model, const char *path, tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
