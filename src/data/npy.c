/* npy.c — the .npy format: ten bytes of magic and length, a Python dictionary as text, the elements.
 *
 * The dictionary comes from anybody, so it is read by a small parser that takes the three known keys in any order and
 * nothing else, and its shape is held against the bytes that are there before anything is allocated. */
#include "data/npy.h"

#include "base/file.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code, *name;
    size_t element;
} types[] = {
    [TC_NPY_U8] = {"u1", "uint8", 1},    [TC_NPY_I8] = {"i1", "int8", 1},    [TC_NPY_U16] = {"u2", "uint16", 2},
    [TC_NPY_I16] = {"i2", "int16", 2},   [TC_NPY_U32] = {"u4", "uint32", 4}, [TC_NPY_I32] = {"i4", "int32", 4},
    [TC_NPY_U64] = {"u8", "uint64", 8},  [TC_NPY_I64] = {"i8", "int64", 8},  [TC_NPY_F32] = {"f4", "float32", 4},
    [TC_NPY_F64] = {"f8", "float64", 8},
};
enum { TYPES = sizeof types / sizeof *types };

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

size_t tc_npy_element(tc_npy_type type) {
    return types[type].element;
}

const char *tc_npy_type_name(tc_npy_type type) {
    return types[type].name;
}

void tc_npy_free(tc_npy *array) {
    free(array->data);
    *array = (tc_npy){0};
}

tc_npy tc_npy_of(tc_npy_type type, const void *data, int rank, const size_t *shape) {
    tc_npy array = {.type = type, .rank = rank, .count = 1, .data = (void *)(uintptr_t)data};
    for (int i = 0; i < rank; i++) array.count *= array.shape[i] = shape[i];
    return array;
}

/* ---- the dictionary ---- */

typedef struct parser {
    const char *at, *end;
} parser;

static void skip_spaces(parser *p) {
    while (p->at < p->end && isspace((unsigned char)*p->at)) p->at++;
}

static bool take(parser *p, char c) {
    skip_spaces(p);
    if (p->at == p->end || *p->at != c) return false;
    p->at++;
    return true;
}

static bool take_word(parser *p, const char *word) {
    const size_t length = strlen(word);
    skip_spaces(p);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length)) return false;
    p->at += length;
    return true;
}

/* 'text' or "text"; escapes occur in none of the values we understand. */
static bool take_string(parser *p, char text[16]) {
    skip_spaces(p);
    if (p->at == p->end || (*p->at != '\'' && *p->at != '"')) return false;
    const char quote = *p->at++;
    size_t length = 0;
    for (; p->at < p->end && *p->at != quote; p->at++) {
        if (length == 15) return false;
        text[length++] = *p->at;
    }
    text[length] = 0;
    return take(p, quote);
}

static bool take_number(parser *p, size_t *number) {
    skip_spaces(p);
    const char *start = p->at;
    for (*number = 0; p->at < p->end && isdigit((unsigned char)*p->at); p->at++) {
        const size_t digit = (size_t)(*p->at - '0');
        if (__builtin_mul_overflow(*number, (size_t)10, number) || __builtin_add_overflow(*number, digit, number))
            return false;
    }
    return p->at > start;
}

static bool take_shape(parser *p, tc_npy *array) {
    if (!take(p, '(')) return false;
    array->rank = 0;
    while (!take(p, ')')) {
        if (array->rank == TC_NPY_RANK || !take_number(p, &array->shape[array->rank])) return false;
        array->rank++;
        if (take(p, ',')) continue;
        if (!take(p, ')')) return false;
        break;
    }
    return true;
}

/* "<f4", ">i8", "|u1": order, kind, size. */
static bool understand_type(const char *text, tc_npy *array, bool *swapped) {
    const bool little = *(const uint8_t *)&(const uint16_t){1};
    if (!strchr("<>|=", text[0]) || !text[0]) return false;
    *swapped = text[0] == (little ? '>' : '<');
    const char *code = text + 1;
    array->truths = !strcmp(code, "b1");
    if (array->truths) code = "u1";
    for (int i = 0; i < TYPES; i++) {
        if (strcmp(types[i].code, code)) continue;
        array->type = (tc_npy_type)i;
        return true;
    }
    return false;
}

typedef struct layout {
    bool swapped, fortran;
} layout;

static tc_status parse_dictionary(const char *text, size_t length, const char *where, tc_npy *array, layout *how,
                                  tc_error *error) {
    parser p = {text, text + length};
    char key[16], descr[16] = "";
    bool seen[3] = {false};
    if (!take(&p, '{')) goto damaged;
    while (!take(&p, '}')) {
        if (!take_string(&p, key) || !take(&p, ':')) goto damaged;
        if (!strcmp(key, "descr")) {
            if (take(&p, '['))
                return tc_raise(error, TC_INVALID, "%s: a structured array; save each field on its own", where);
            seen[0] = take_string(&p, descr);
        } else if (!strcmp(key, "fortran_order")) {
            how->fortran = take_word(&p, "True");
            seen[1] = how->fortran || take_word(&p, "False");
        } else if (!strcmp(key, "shape")) {
            seen[2] = take_shape(&p, array);
            if (!seen[2]) goto damaged;
        } else
            goto damaged;
        if (take(&p, ',')) continue;
        if (!take(&p, '}')) goto damaged;
        break;
    }
    if (!seen[0] || !seen[1] || !seen[2]) goto damaged;
    if (!understand_type(descr, array, &how->swapped))
        return tc_raise(error, TC_INVALID, "%s: elements of type '%s' are not read; save it as uint8, int64 or float32",
                        where, descr);
    return TC_OK;
damaged:
    return tc_raise(error, TC_INVALID, "%s: the .npy header is damaged; save the array again", where);
}

/* count := the product of the shape, refused unless exactly that many elements are in `size` bytes. */
static tc_status check_count(tc_npy *array, size_t size, const char *where, tc_error *error) {
    size_t bytes = types[array->type].element;
    bool overflow = false, empty = false;
    for (int i = 0; i < array->rank; i++) empty |= array->shape[i] == 0;
    for (int i = 0; i < array->rank && !empty; i++) overflow |= __builtin_mul_overflow(bytes, array->shape[i], &bytes);
    if (empty) bytes = 0;
    if (overflow || bytes != size)
        return tc_raise(error, TC_INVALID,
                        "%s: the header asks for %s%zu bytes of elements, the file has %zu; "
                        "save the array again",
                        where, overflow ? "more than " : "", overflow ? SIZE_MAX : bytes, size);
    array->count = bytes / types[array->type].element;
    return TC_OK;
}

/* ---- the elements ---- */

static void swap_bytes(uint8_t *data, size_t count, size_t element) {
    for (size_t i = 0; i < count; i++, data += element)
        for (size_t low = 0, high = element - 1; low < high; low++, high--) {
            const uint8_t byte = data[low];
            data[low] = data[high];
            data[high] = byte;
        }
}

/* In Fortran order the first index runs fastest: walk the target in C order, stepping through the source. */
static void copy_fortran(const tc_npy *array, const uint8_t *from, uint8_t *to) {
    const size_t element = types[array->type].element;
    size_t index[TC_NPY_RANK] = {0}, stride[TC_NPY_RANK], place = 0, step = 1;
    for (int d = 0; d < array->rank; d++) {
        stride[d] = step;
        step *= array->shape[d];
    }
    for (size_t i = 0; i < array->count; i++) {
        memcpy(to + i * element, from + place * element, element);
        for (int d = array->rank - 1; d >= 0; d--) {
            place += stride[d];
            if (++index[d] < array->shape[d]) break;
            place -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}

tc_status tc_npy_parse(const uint8_t *bytes, size_t size, const char *where, tc_npy *array, tc_error *error) {
    tc_status status = TC_OK;
    layout how = {false, false};
    *array = (tc_npy){0};
    if (size < 12 || memcmp(bytes, magic, sizeof magic))
        TC_RAISE(TC_INVALID, "%s: not an .npy file; save it with numpy.save or numpy.savez", where);
    const int version = bytes[6];
    if (version < 1 || version > 3)
        TC_RAISE(TC_INVALID, "%s: .npy version %d; versions 1 to 3 are read", where, version);
    const size_t start = version == 1 ? 10 : 12;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - start) TC_RAISE(TC_INVALID, "%s: cut off in the .npy header; save the array again", where);
    TC_TRY(parse_dictionary((const char *)bytes + start, length, where, array, &how, error));
    const uint8_t *elements = bytes + start + length;
    TC_TRY(check_count(array, size - start - length, where, error));
    const size_t element = types[array->type].element;
    TC_TRY(tc_new(&array->data, array->count, element, error));
    if (how.fortran && array->rank > 1)
        copy_fortran(array, elements, array->data);
    else if (array->count)
        memcpy(array->data, elements, array->count * element);
    if (how.swapped) swap_bytes(array->data, array->count, element);
done:
    if (status != TC_OK) tc_npy_free(array);
    return status;
}

/* ---- whole files ---- */

tc_status tc_npy_read(const char *path, tc_npy *array, tc_error *error) {
    uint8_t *bytes;
    size_t size;
    *array = (tc_npy){0};
    tc_status status = tc_file_read(path, (size_t)1 << 36, &bytes, &size, error);
    if (status == TC_OK) status = tc_npy_parse(bytes, size, path, array, error);
    free(bytes);
    return status;
}

void tc_npy_header(const tc_npy *array, uint8_t header[TC_NPY_HEADER], size_t *size) {
    char text[TC_NPY_HEADER] = "";
    const char order = types[array->type].element == 1 ? '|' : *(const uint8_t *)&(const uint16_t){1} ? '<' : '>';
    size_t length = (size_t)snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order,
                                     types[array->type].code);
    for (int i = 0; i < array->rank; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, i ? ", %zu" : "%zu", array->shape[i]);
    length += (size_t)snprintf(text + length, sizeof text - length, array->rank == 1 ? ",), }" : "), }");
    while ((10 + length + 1) % 64) text[length++] = ' '; /* the elements start on a cache line */
    text[length++] = '\n';
    memcpy(header, magic, sizeof magic);
    const uint8_t rest[4] = {1, 0, (uint8_t)length, (uint8_t)(length >> 8)};
    memcpy(header + 6, rest, sizeof rest);
    memcpy(header + 10, text, length);
    *size = 10 + length;
}

tc_status tc_npy_write(const char *path, const tc_npy *array, tc_error *error) {
    uint8_t header[TC_NPY_HEADER];
    size_t size;
    tc_output output;
    const tc_status status = tc_output_open(path, &output, error);
    if (status != TC_OK) return status;
    tc_npy_header(array, header, &size);
    fwrite(header, 1, size, output.file);
    fwrite(array->data, types[array->type].element, array->count, output.file);
    return tc_output_commit(&output, error);
}
