/* safetensors_format.h — the element types of tensor files, for safetensors.c (reading) and safetensors_write.c. */
#ifndef TC_NN_SAFETENSORS_FORMAT_H
#define TC_NN_SAFETENSORS_FORMAT_H

#include "nn/safetensors.h"

typedef struct tc_dtype_row {
    const char *name; /* in the header; NULL ends the table */
    tc_dtype dtype;
    size_t bytes;                                                      /* of an element */
    void (*load)(const unsigned char *from, size_t count, double *to); /* NULL: not read */
} tc_dtype_row;

extern const tc_dtype_row tc_dtypes[];
const tc_dtype_row *tc_dtype_find(tc_dtype dtype);

#endif
