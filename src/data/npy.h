/* npy.h — NumPy's arrays in files: one in an .npy, several by name in an .npz, which is a zip archive of .npy.
 *
 * Read: every boolean, integer and float type but half precision, either byte order, C or Fortran order; what comes
 * out is native and in C order. Written: version 1.0, little-endian, C order, so that numpy.load reads it. */
#ifndef TC_DATA_NPY_H
#define TC_DATA_NPY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { TC_NPY_RANK = 8, TC_NPZ_ARRAYS = 64, TC_NPZ_NAME = 64 };

typedef enum tc_npy_type {
    TC_NPY_U8, /* also bool, see tc_npy */
    TC_NPY_I8,
    TC_NPY_U16,
    TC_NPY_I16,
    TC_NPY_U32,
    TC_NPY_I32,
    TC_NPY_U64,
    TC_NPY_I64,
    TC_NPY_F32,
    TC_NPY_F64,
} tc_npy_type;

typedef struct tc_npy {
    tc_npy_type type;
    bool truths; /* it was saved as bool: 0 and 1 */
    int rank;
    size_t shape[TC_NPY_RANK]; /* [rank] */
    size_t count;              /* their product */
    void *data;                /* [count], row-major */
} tc_npy;

size_t tc_npy_element(tc_npy_type type);        /* bytes of one */
const char *tc_npy_type_name(tc_npy_type type); /* "float32" */

/* `where` names the array in messages. Free the result with tc_npy_free. */
tc_status tc_npy_parse(const uint8_t *bytes, size_t size, const char *where, tc_npy *array, tc_error *error);
tc_status tc_npy_read(const char *path, tc_npy *array, tc_error *error);
tc_status tc_npy_write(const char *path, const tc_npy *array, tc_error *error);
void tc_npy_free(tc_npy *array);
/* The bytes of the .npy header that goes before array->data; *size of them, at most TC_NPY_HEADER. */
enum { TC_NPY_HEADER = 512 };
void tc_npy_header(const tc_npy *array, uint8_t header[TC_NPY_HEADER], size_t *size);

/* Makes the elements of another type; refused where a value does not fit it (300 as uint8, 0.5 as int64). */
tc_status tc_npy_cast(tc_npy *array, tc_npy_type type, const char *where, tc_error *error);

/* An array for writing that borrows `data`: tc_npy_of(TC_NPY_F32, x, 4, (size_t[]){n, h, w, c}). */
tc_npy tc_npy_of(tc_npy_type type, const void *data, int rank, const size_t *shape);

typedef struct tc_npz {
    int count;
    struct {
        char name[TC_NPZ_NAME]; /* without ".npy" */
        tc_npy array;
        char
            *unread; /* why it is none that is read here (text, objects, …): said when it is wanted; NULL: it is read */
    } entry[TC_NPZ_ARRAYS];
} tc_npz;

/* Every array of the archive; anything in it that is no .npy is refused. An array that cannot be read is no error until
 * somebody wants it. The archive is large: allocate with tc_new. */
tc_status tc_npz_read(const char *path, tc_npz *npz, tc_error *error);
/* Stored without compression, in a temporary file that is renamed. */
tc_status tc_npz_write(const char *path, const tc_npz *npz, tc_error *error);
void tc_npz_free(tc_npz *npz); /* the arrays and the struct itself; not for borrowed data */

/* The array called `name`, NULL if there is none that can be read; …_want says why, and also refuses a rank outside
 * low … high. …_has: there is one by that name, whatever it is. */
bool tc_npz_has(const tc_npz *npz, const char *name);
tc_npy *tc_npz_find(tc_npz *npz, const char *name);
tc_status tc_npz_want(tc_npz *npz, const char *path, const char *name, int low, int high, tc_npy **array,
                      tc_error *error);
/* One more array of an archive to be written; its data are borrowed. */
void tc_npz_add(tc_npz *npz, const char *name, tc_npy array);

#endif
