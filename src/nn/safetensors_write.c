/* safetensors_write.c — writing tensor files. The format: safetensors.h.
 *
 * The tensors are laid out widest element first behind a header padded to 8 bytes, so that a reader may map the file
 * and use every tensor in place. */
#include "nn/safetensors_format.h"

#include "base/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 8 };

static size_t bytes_of(const tc_safetensor *t) {
    size_t bytes = tc_dtype_find(t->dtype)->bytes;
    for (int i = 0; i < t->rank; i++) bytes *= (size_t)t->size[i];
    return bytes;
}

/* order := the tensors by falling element width, otherwise as given. */
static void lay_out(const tc_safetensor *tensors, size_t count, size_t *order) {
    size_t at = 0;
    for (size_t width = ALIGNMENT; width; width /= 2)
        for (size_t i = 0; i < count; i++)
            if (tc_dtype_find(tensors[i].dtype)->bytes == width) order[at++] = i;
}

/* The header as text, NULL when memory is short or a name is not UTF-8. */
static char *header_text(const tc_safetensor *tensors, size_t count, const size_t *order) {
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    size_t at = 0;
    for (size_t i = 0; header && i < count; i++) {
        const tc_safetensor *t = &tensors[order[i]];
        const size_t end = at + bytes_of(t);
        json_t *shape = json_array();
        for (int k = 0; k < t->rank; k++) json_array_append_new(shape, json_integer(t->size[k]));
        json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tc_dtype_find(t->dtype)->name, "shape", shape,
                                  "data_offsets", (json_int_t)at, (json_int_t)end);
        at = end;
        if (json_object_set_new(header, t->name, entry) == 0) continue;
        json_decref(header);
        header = NULL;
    }
    char *text = header ? json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(header);
    return text;
}

static void put(FILE *file, const char *header, const tc_safetensor *tensors, size_t count, const size_t *order) {
    const size_t length = strlen(header), padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT;
    const uint64_t padded = length + padding;
    fwrite(&padded, sizeof padded, 1, file);
    fwrite(header, 1, length, file);
    fwrite("        ", 1, padding, file);
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = bytes_of(&tensors[order[i]]);
        if (bytes) fwrite(tensors[order[i]].data, 1, bytes, file); /* an empty tensor may have no data at all */
    }
}

static tc_status prepare(const char *where, const tc_safetensor *tensors, size_t count, size_t **order, char **header,
                         tc_error *error) {
    const tc_status status = tc_new(order, count, sizeof **order, error);
    if (status != TC_OK) return status;
    lay_out(tensors, count, *order);
    *header = header_text(tensors, count, *order);
    return *header ? TC_OK : tc_raise(error, TC_FAILED, "%s: no memory for the header; free some", where);
}

tc_status tc_safetensors_write(const char *path, const tc_safetensor *tensors, size_t count, tc_error *error) {
    tc_status status = TC_OK;
    tc_output output = {.file = NULL};
    char *header = NULL;
    size_t *order = NULL;
    TC_TRY(prepare(path, tensors, count, &order, &header, error));
    TC_TRY(tc_output_open(path, &output, error));
    put(output.file, header, tensors, count, order);
    TC_TRY(tc_output_commit(&output, error)); /* a write that failed is reported here */
done:
    tc_output_abandon(&output);
    free(header);
    free(order);
    return status;
}

tc_status tc_safetensors_write_bytes(const tc_safetensor *tensors, size_t count, uint8_t **bytes, size_t *size,
                                     tc_error *error) {
    static const char where[] = "tensors in memory";
    tc_status status = TC_OK;
    char *header = NULL, *written = NULL;
    size_t *order = NULL;
    TC_TRY(prepare(where, tensors, count, &order, &header, error));
    FILE *file = open_memstream(&written, size);
    if (file) put(file, header, tensors, count, order);
    const bool failed = !file || ferror(file);
    if ((file && fclose(file)) || failed) TC_RAISE(TC_FAILED, "%s: none left for them; free some", where);
    *bytes = (uint8_t *)written;
    written = NULL;
done:
    free(written);
    free(header);
    free(order);
    return status;
}
