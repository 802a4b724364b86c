/* safetensors.h — named tensors in a file, in the format that the PyTorch world exchanges checkpoints in.
 *
 * A file is 8 bytes of header length (little endian), a JSON header {"NAME": {"dtype", "shape", "data_offsets"}}, and
 * the tensors' bytes back to back. Nothing in the header is believed before it is checked: every tensor lies inside the
 * file, has the bytes that its type and shape need, and together they cover the data without holes or overlaps. */
#ifndef TC_NN_SAFETENSORS_H
#define TC_NN_SAFETENSORS_H

#include "base/error.h"

#include <stdint.h>

typedef enum tc_dtype {
    TC_F64,
    TC_F32,
    TC_F16,
    TC_BF16,
    TC_I64,
    TC_OTHER, /* known by its size only: may stand in a file that is read, not be read or written */
} tc_dtype;

enum { TC_SAFETENSOR_RANK = 8 };

typedef struct tc_safetensor {
    const char *name;
    tc_dtype dtype;
    int rank; /* 0: a single number */
    int64_t size[TC_SAFETENSOR_RANK];
    size_t count;     /* product of the sizes; set by reading */
    uint64_t offset;  /* of the first byte in the file; set by reading */
    const void *data; /* [product of the sizes], of the dtype; read by writing */
} tc_safetensor;

typedef struct tc_safetensors tc_safetensors; /* a file that is open for reading */

tc_status tc_safetensors_open(const char *path, tc_safetensors **file, tc_error *error);
/* The same for a file that is in memory already and stays there; `name` stands for it in messages. */
tc_status tc_safetensors_open_bytes(const char *name, const void *bytes, size_t size, tc_safetensors **file,
                                    tc_error *error);
void tc_safetensors_close(tc_safetensors *file);
/* All tensors, in the order of their data; returns how many. */
size_t tc_safetensors_list(const tc_safetensors *file, const tc_safetensor **tensors);
const tc_safetensor *tc_safetensors_find(const tc_safetensors *file, const char *name);
const char *tc_safetensors_path(const tc_safetensors *file);

/* The values of one tensor of the file, [tensor->count]. F64, F32, F16 and BF16; NaN and infinities are refused. */
tc_status tc_safetensors_read(tc_safetensors *file, const tc_safetensor *tensor, double *values, tc_error *error);

/* Writes a temporary file beside `path` and renames it. Tensors with wider elements come first, so that every element
 * is aligned; within a width they keep their order. */
tc_status tc_safetensors_write(const char *path, const tc_safetensor *tensors, size_t count, tc_error *error);
/* The file's bytes in memory instead; free *bytes. */
tc_status tc_safetensors_write_bytes(const tc_safetensor *tensors, size_t count, uint8_t **bytes, size_t *size,
                                     tc_error *error);

/* "[6, 1, 5, 5]" */
enum { TC_SHAPE_TEXT = 192 };
const char *tc_shape_text(const int64_t *size, int rank, char text[TC_SHAPE_TEXT]);

#endif
