/* npy_cast.c — elements of one NumPy type as another, refusing what the other cannot hold.
 *
 * Every value passes through a pair that is exact for all ten types: integers travel as (sign, magnitude), floats as
 * double. */
#include "data/npy.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct value {
    bool whole, negative;
    uint64_t magnitude; /* where whole */
    double real;        /* always; rounded where whole and large */
} value;

static value of_integer(int64_t x) {
    return (value){true, x < 0, x < 0 ? 0 - (uint64_t)x : (uint64_t)x, (double)x};
}

static value of_unsigned(uint64_t x) {
    return (value){true, false, x, (double)x};
}

static value of_real(double x) {
    const bool whole = x == floor(x) && fabs(x) < 0x1p63;
    return (value){whole, x < 0, whole ? (uint64_t)fabs(x) : 0, x};
}

#define LOADER(name, type, make)                                                                                       \
    static value load_##name(const void *data, size_t i) {                                                             \
        return make(((const type *)data)[i]);                                                                          \
    }
LOADER(u8, uint8_t, of_unsigned)
LOADER(i8, int8_t, of_integer)
LOADER(u16, uint16_t, of_unsigned)
LOADER(i16, int16_t, of_integer)
LOADER(u32, uint32_t, of_unsigned)
LOADER(i32, int32_t, of_integer)
LOADER(u64, uint64_t, of_unsigned)
LOADER(i64, int64_t, of_integer)
LOADER(f32, float, of_real)
LOADER(f64, double, of_real)

/* high: the largest value; low: the magnitude of the smallest. */
#define STORER(name, type, low, high)                                                                                  \
    static bool store_##name(void *data, size_t i, value v) {                                                          \
        ((type *)data)[i] = (type)(v.negative ? 0 - v.magnitude : v.magnitude);                                        \
        return v.whole && v.magnitude <= (v.negative ? (uint64_t)(low) : (uint64_t)(high));                            \
    }
STORER(u8, uint8_t, 0, UINT8_MAX)
STORER(i8, int8_t, 128, INT8_MAX)
STORER(u16, uint16_t, 0, UINT16_MAX)
STORER(i16, int16_t, 32768, INT16_MAX)
STORER(u32, uint32_t, 0, UINT32_MAX)
STORER(i32, int32_t, 2147483648u, INT32_MAX)
STORER(u64, uint64_t, 0, UINT64_MAX)
STORER(i64, int64_t, (uint64_t)1 << 63, INT64_MAX)

static bool store_f32(void *data, size_t i, value v) {
    ((float *)data)[i] = (float)v.real;
    return true;
}

static bool store_f64(void *data, size_t i, value v) {
    ((double *)data)[i] = v.real;
    return true;
}

static const struct {
    value (*load)(const void *data, size_t i);
    bool (*store)(void *data, size_t i, value v); /* false: it does not fit */
} conversions[] = {
    [TC_NPY_U8] = {load_u8, store_u8},    [TC_NPY_I8] = {load_i8, store_i8},    [TC_NPY_U16] = {load_u16, store_u16},
    [TC_NPY_I16] = {load_i16, store_i16}, [TC_NPY_U32] = {load_u32, store_u32}, [TC_NPY_I32] = {load_i32, store_i32},
    [TC_NPY_U64] = {load_u64, store_u64}, [TC_NPY_I64] = {load_i64, store_i64}, [TC_NPY_F32] = {load_f32, store_f32},
    [TC_NPY_F64] = {load_f64, store_f64},
};

tc_status tc_npy_cast(tc_npy *array, tc_npy_type type, const char *where, tc_error *error) {
    if (array->type == type) return TC_OK;
    void *data;
    tc_status status = tc_new(&data, array->count, tc_npy_element(type), error);
    if (status != TC_OK) return status;
    for (size_t i = 0; i < array->count; i++) {
        const value v = conversions[array->type].load(array->data, i);
        if (conversions[type].store(data, i, v)) continue;
        status = tc_raise(error, TC_INVALID, "%s: element %zu is %g, which is no %s; save it as %s", where, i, v.real,
                          tc_npy_type_name(type), tc_npy_type_name(type));
        free(data);
        return status;
    }
    free(array->data);
    array->data = data;
    array->type = type;
    return TC_OK;
}
