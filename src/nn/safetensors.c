/* safetensors.c — reading tensor files, and what reading and writing share. The format: safetensors.h.
 *
 * The header is parsed and checked as a whole when a file is opened; values are fetched one tensor at a time, so that a
 * file never needs more memory than its largest tensor. */
#include "nn/safetensors.h"

#include "nn/safetensors_format.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little endian and are read as they are");

enum { MAX_HEADER = 100 * 1000 * 1000, CHUNK = 1 << 16 };

struct tc_safetensors {
    FILE *file;
    char *path;
    json_t *header; /* owns the names */
    size_t count;
    tc_safetensor *tensors; /* [count], by offset */
};

/* ---- element types ---- */

static void load_f64(const unsigned char *from, size_t count, double *to) {
    memcpy(to, from, count * sizeof *to);
}

static void load_f32(const unsigned char *from, size_t count, double *to) {
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, from + i * sizeof value, sizeof value);
        to[i] = (double)value;
    }
}

static double half(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = ldexp(fraction, -24); /* subnormal */
    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    else if (exponent)
        value = ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static void load_f16(const unsigned char *from, size_t count, double *to) {
    for (size_t i = 0; i < count; i++) to[i] = half((uint16_t)(from[2 * i] | from[2 * i + 1] << 8));
}

static void load_bf16(const unsigned char *from, size_t count, double *to) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = (uint32_t)from[2 * i] << 16 | (uint32_t)from[2 * i + 1] << 24;
        float value;
        memcpy(&value, &bits, sizeof value);
        to[i] = (double)value;
    }
}

const tc_dtype_row tc_dtypes[] = {
    {"F64", TC_F64, 8, load_f64},   {"F32", TC_F32, 4, load_f32},
    {"F16", TC_F16, 2, load_f16},   {"BF16", TC_BF16, 2, load_bf16},
    {"I64", TC_I64, 8, NULL},       {"U64", TC_OTHER, 8, NULL},
    {"I32", TC_OTHER, 4, NULL},     {"U32", TC_OTHER, 4, NULL},
    {"I16", TC_OTHER, 2, NULL},     {"U16", TC_OTHER, 2, NULL},
    {"I8", TC_OTHER, 1, NULL},      {"U8", TC_OTHER, 1, NULL},
    {"BOOL", TC_OTHER, 1, NULL},    {"F8_E4M3", TC_OTHER, 1, NULL},
    {"F8_E5M2", TC_OTHER, 1, NULL}, {.name = NULL},
};

static const tc_dtype_row *dtype_by_name(const char *name) {
    const tc_dtype_row *row = tc_dtypes;
    while (row->name && strcmp(row->name, name) != 0) row++;
    return row->name ? row : NULL;
}

const tc_dtype_row *tc_dtype_find(tc_dtype dtype) {
    const tc_dtype_row *row = tc_dtypes;
    while (row->name && row->dtype != dtype) row++;
    return row->name ? row : NULL;
}

const char *tc_shape_text(const int64_t *size, int rank, char text[TC_SHAPE_TEXT]) {
    size_t at = (size_t)snprintf(text, TC_SHAPE_TEXT, "[");
    for (int i = 0; i < rank && at < TC_SHAPE_TEXT; i++)
        at += (size_t)snprintf(text + at, TC_SHAPE_TEXT - at, "%s%" PRId64, i ? ", " : "", size[i]);
    if (at < TC_SHAPE_TEXT) snprintf(text + at, TC_SHAPE_TEXT - at, "]");
    return text;
}

/* ---- the header ---- */

#define DAMAGED "the file is damaged or not safetensors; write it again"

static tc_status parse_shape(const tc_safetensors *f, tc_safetensor *t, const json_t *shape, tc_error *error) {
    if (!json_is_array(shape) || json_array_size(shape) > TC_SAFETENSOR_RANK)
        return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' has no shape of at most %d sizes; " DAMAGED, f->path,
                        t->name, TC_SAFETENSOR_RANK);
    t->rank = (int)json_array_size(shape);
    t->count = 1;
    for (int i = 0; i < t->rank; i++) {
        const json_t *size = json_array_get(shape, (size_t)i);
        t->size[i] = json_integer_value(size);
        if (!json_is_integer(size) || t->size[i] < 0 || __builtin_mul_overflow(t->count, (size_t)t->size[i], &t->count))
            return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' has an impossible shape; " DAMAGED, f->path,
                            t->name);
    }
    return TC_OK;
}

/* One entry of the header; `data` and `end` are where the tensors' bytes begin and end in the file. */
static tc_status parse_tensor(const tc_safetensors *f, tc_safetensor *t, const json_t *entry, uint64_t data,
                              uint64_t end, tc_error *error) {
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const tc_dtype_row *row = type ? dtype_by_name(type) : NULL;
    if (!row)
        return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' is of type '%.40s'; save it as F32 or F64", f->path,
                        t->name, type ? type : "none");
    t->dtype = row->dtype;
    const tc_status status = parse_shape(f, t, json_object_get(entry, "shape"), error);
    if (status != TC_OK) return status;

    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    const json_int_t from = json_integer_value(first), to = json_integer_value(last);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last) || from < 0 || to < from ||
        (uint64_t)to > end - data)
        return tc_raise(error, TC_INVALID,
                        "%s: tensor '%.200s' lies outside the file's data; it is cut short or damaged", f->path,
                        t->name);
    size_t bytes;
    if (__builtin_mul_overflow(t->count, row->bytes, &bytes) || bytes != (uint64_t)(to - from))
        return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' has not the bytes that its shape needs; " DAMAGED,
                        f->path, t->name);
    t->offset = data + (uint64_t)from;
    return TC_OK;
}

/* By place; of two at one place the empty one first. */
static int by_offset(const void *a, const void *b) {
    const tc_safetensor *s = a, *t = b;
    if (s->offset != t->offset) return s->offset < t->offset ? -1 : 1;
    return (s->count > 0) - (t->count > 0);
}

static uint64_t end_of(const tc_safetensor *t, const json_t *header) {
    const json_t *offsets = json_object_get(json_object_get(header, t->name), "data_offsets");
    return (uint64_t)(json_integer_value(json_array_get(offsets, 1)) - json_integer_value(json_array_get(offsets, 0))) +
           t->offset;
}

/* The tensors, in order, must cover the data exactly. */
static tc_status check_cover(const tc_safetensors *f, uint64_t data, uint64_t end, tc_error *error) {
    uint64_t at = data;
    for (size_t i = 0; i < f->count; i++) {
        if (f->tensors[i].offset != at)
            return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' %s; " DAMAGED, f->path, f->tensors[i].name,
                            f->tensors[i].offset < at ? "overlaps another" : "follows a hole");
        at = end_of(&f->tensors[i], f->header);
    }
    if (at != end)
        return tc_raise(error, TC_INVALID, "%s: %" PRIu64 " bytes belong to no tensor; " DAMAGED, f->path, end - at);
    return TC_OK;
}

static tc_status parse_header(tc_safetensors *f, const char *text, size_t length, uint64_t end, tc_error *error) {
    tc_status status = TC_OK;
    json_error_t why;
    f->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
    if (!f->header) TC_RAISE(TC_INVALID, "%s: the header is not JSON (%s); " DAMAGED, f->path, why.text);
    if (!json_is_object(f->header)) TC_RAISE(TC_INVALID, "%s: the header is no JSON object; " DAMAGED, f->path);
    TC_TRY(tc_new(&f->tensors, json_object_size(f->header), sizeof *f->tensors, error));
    const uint64_t data = sizeof(uint64_t) + length;
    const char *name;
    json_t *entry;
    json_object_foreach(f->header, name, entry) {
        if (!strcmp(name, "__metadata__")) continue;
        tc_safetensor *t = &f->tensors[f->count++];
        t->name = name;
        TC_TRY(parse_tensor(f, t, entry, data, end, error));
    }
    qsort(f->tensors, f->count, sizeof *f->tensors, by_offset);
    TC_TRY(check_cover(f, data, end, error));
done:
    return status;
}

/* Opens f->path. A pipe or a folder is refused before it can block or surprise. */
static tc_status open_plain(tc_safetensors *f, uint64_t *bytes, tc_error *error) {
    struct stat info;
    if (stat(f->path, &info) == 0 && !S_ISREG(info.st_mode))
        return tc_raise(error, TC_INVALID, "%s: is no plain file; give a .safetensors file", f->path);
    f->file = fopen(f->path, "rbe");
    if (!f->file || fstat(fileno(f->file), &info) != 0)
        return tc_raise(error, TC_INVALID, "%s: cannot be opened: %s; check the path", f->path, strerror(errno));
    *bytes = (uint64_t)info.st_size;
    return TC_OK;
}

static tc_status read_header(tc_safetensors *f, uint64_t bytes, tc_error *error) {
    tc_status status = TC_OK;
    char *text = NULL;
    uint64_t length = 0;
    if (fread(&length, sizeof length, 1, f->file) != 1)
        TC_RAISE(TC_INVALID, "%s: is shorter than a safetensors file can be; " DAMAGED, f->path);
    if (length > MAX_HEADER || length > bytes - sizeof length)
        TC_RAISE(TC_INVALID, "%s: claims a header of %" PRIu64 " bytes; " DAMAGED, f->path, length);
    TC_TRY(tc_new(&text, (size_t)length, 1, error));
    if (fread(text, 1, (size_t)length, f->file) != length)
        TC_RAISE(TC_FAILED, "%s: cannot be read; check the disk", f->path);
    TC_TRY(parse_header(f, text, (size_t)length, bytes, error));
done:
    free(text);
    return status;
}

typedef struct bytes_in_memory {
    const void *bytes; /* NULL: the file at f->path */
    size_t size;
} bytes_in_memory;

static tc_status open_source(tc_safetensors *f, bytes_in_memory memory, uint64_t *bytes, tc_error *error) {
    if (!memory.bytes) return open_plain(f, bytes, error);
    *bytes = memory.size;
    f->file = memory.size ? fmemopen((void *)(uintptr_t)memory.bytes, memory.size, "rb") : NULL;
    if (f->file) return TC_OK;
    return tc_raise(error, memory.size ? TC_FAILED : TC_INVALID, "%s: %s; " DAMAGED, f->path,
                    memory.size ? "no memory to read it" : "is empty");
}

static tc_status open_named(const char *name, bytes_in_memory memory, tc_safetensors **file, tc_error *error) {
    tc_status status = TC_OK;
    tc_safetensors *f = NULL;
    uint64_t bytes = 0;
    *file = NULL;
    TC_TRY(tc_new(&f, 1, sizeof *f, error));
    TC_TRY(tc_new(&f->path, strlen(name) + 1, 1, error));
    strcpy(f->path, name);
    TC_TRY(open_source(f, memory, &bytes, error));
    TC_TRY(read_header(f, bytes, error));
    *file = f;
    f = NULL;
done:
    tc_safetensors_close(f);
    return status;
}

tc_status tc_safetensors_open(const char *path, tc_safetensors **file, tc_error *error) {
    return open_named(path, (bytes_in_memory){NULL, 0}, file, error);
}

tc_status tc_safetensors_open_bytes(const char *name, const void *bytes, size_t size, tc_safetensors **file,
                                    tc_error *error) {
    return open_named(name, (bytes_in_memory){bytes ? bytes : "", bytes ? size : 0}, file, error);
}

void tc_safetensors_close(tc_safetensors *file) {
    if (!file) return;
    if (file->file) fclose(file->file);
    json_decref(file->header);
    free(file->tensors);
    free(file->path);
    free(file);
}

size_t tc_safetensors_list(const tc_safetensors *file, const tc_safetensor **tensors) {
    *tensors = file->tensors;
    return file->count;
}

const tc_safetensor *tc_safetensors_find(const tc_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (!strcmp(file->tensors[i].name, name)) return &file->tensors[i];
    return NULL;
}

const char *tc_safetensors_path(const tc_safetensors *file) {
    return file->path;
}

/* ---- values ---- */

tc_status tc_safetensors_read(tc_safetensors *file, const tc_safetensor *tensor, double *values, tc_error *error) {
    const tc_dtype_row *row = tc_dtype_find(tensor->dtype);
    if (!row->load)
        return tc_raise(error, TC_INVALID, "%s: tensor '%.200s' holds whole numbers; save it as F32 or F64", file->path,
                        tensor->name);
    if (fseeko(file->file, (off_t)tensor->offset, SEEK_SET) != 0)
        return tc_raise(error, TC_FAILED, "%s: cannot be read: %s; check the disk", file->path, strerror(errno));
    unsigned char chunk[CHUNK];
    for (size_t done = 0; done < tensor->count;) {
        const size_t left = tensor->count - done, room = CHUNK / row->bytes, count = left < room ? left : room;
        if (fread(chunk, row->bytes, count, file->file) != count)
            return tc_raise(error, TC_FAILED, "%s: cannot be read; it changed or the disk fails", file->path);
        row->load(chunk, count, values + done);
        for (size_t i = done; i < done + count; i++)
            if (!isfinite(values[i]))
                return tc_raise(error, TC_INVALID,
                                "%s: tensor '%.200s' holds NaN or infinity; train again or repair it", file->path,
                                tensor->name);
        done += count;
    }
    return TC_OK;
}
